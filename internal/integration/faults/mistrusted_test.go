package faults_test

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/integration/caller"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// mistrusted: one instance comes with a certificate that has expired. Nothing of
// a call reaches it, so that all go elsewhere, whatever their method.
var mistrusted = row{
	number: 27, fault: "certificate expired on one instance",
	setup: func(s *scene) {
		s.etcd = etcdtest.Start(s)
		s.links()
		s.authority = etcdtest.NewCA(s)
		s.fleet = fleet.New(s, s.via(s.fleetLink), service, work)
		s.fleet.TLS = s.authority.Issue(service)
		s.fleet.Start(instances - 1)
		s.within(0, "all instances registered", s.allRegistered)
		calling := s.calling(s.via(s.callerLink))
		calling.TLS = s.fleet.TLS
		s.caller = caller.Start(s, calling)
		s.caller.Learn()
		s.caller.Load()
		s.within(0, "a live list of all", s.sees(instances-1))
	},
	inject: func(s *scene) {
		s.fleet.TLS = s.authority.IssueExpired(service)
		s.victim = s.fleet.Start(1)[0]
		s.within(0, "a list with the victim", s.sees(instances))
		s.broken = time.Now()
	},
	hold: func(s *scene) {
		s.figure("passed over after", s.within(2*time.Second, "the victim passed over", s.isOut(s.victim.ID, "tls")))
		said := func(line string) bool {
			return strings.Contains(line, "instance="+s.victim.ID+" ") && strings.Contains(line, "reason=tls")
		}
		if lines := s.caller.Status().Warnings; !slices.ContainsFunc(lines, said) {
			s.Errorf("no warning says that %s is passed over: %q", s.victim.ID, lines)
		}
		s.namesMistrusted()
		s.sleep(2 * time.Second)
	},
	check: func(s *scene) {
		s.noneFailed()
	},
}

// namesMistrusted calls until a call fails, which is tried once only, and reads
// what that says.
func (s *scene) namesMistrusted() {
	s.Helper()
	registry := s.via(s.callerLink)
	config, err := registry.Config(new(fleet.Calls))
	if err != nil {
		s.Fatal(err)
	}
	mesh, err := transport.Open(config, transport.WithLogger(slog.New(slog.DiscardHandler)), transport.WithRetry(retry.Policy{MaxAttempts: 1}),
		transport.WithBalancing(balancer.Balancing{SlowStart: balancer.SlowStart{Off: true}}))
	if err != nil {
		s.Fatal(err)
	}
	defer mesh.Close(s.Context())
	trust, err := s.authority.Issue("reader").Client()
	if err != nil {
		s.Fatal(err)
	}
	door, err := fairhttp.Config{TLS: trust}.Transport(mesh, nil)
	if err != nil {
		s.Fatal(err)
	}
	defer door.Close()
	client := &http.Client{Transport: door}
	for range 200 {
		resp, err := client.Get("mesh://" + service + "/")
		if err == nil {
			resp.Body.Close()
			continue
		}
		if errors.Is(err, balancer.ErrNoInstances) { // the list is not there yet, on a busy machine
			time.Sleep(50 * time.Millisecond)
			continue
		}
		for _, part := range []string{s.victim.ID, "certificate has expired"} {
			if !strings.Contains(err.Error(), part) {
				s.Errorf("the error does not say %q: %v", part, err)
			}
		}
		if strings.Contains(err.Error(), s.fleet.TLS.Key) || strings.Contains(err.Error(), "PRIVATE") {
			s.Errorf("the error tells of the key: %v", err)
		}
		return
	}
	s.Error("200 calls, and none went to the victim")
}
