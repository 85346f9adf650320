package faults_test

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/caller"
	"github.com/fairlead-go/fairlead/internal/integration/dnstest"
)

// nameless: the server of names fails, or is silent, and the last addresses
// serve.
var nameless = row{
	number: 26, fault: "DNS failure",
	setup: func(s *scene) {
		s.usual()
		s.dns = dnstest.New(s)
		var records []net.SRV
		for _, i := range s.fleet.Running() {
			addr := netip.MustParseAddrPort(i.Addr)
			records = append(records, net.SRV{Target: "host.mesh.test.", Port: addr.Port(), Weight: 100})
			s.dns.SetHost("host.mesh.test.", addr.Addr()) // that of all
		}
		s.dns.SetSRV(strings.ReplaceAll(caller.SRVName, "{service}", service), records...)
		settings := s.calling(s.via(s.callerLink))
		settings.DNS = s.dns.Addr()
		s.caller = caller.Start(s, settings)
		s.caller.Learn()
		s.caller.Load()
		s.within(0, "a live list of all", s.sees(instances))
	},
	inject: func(s *scene) {
		s.before = s.caller.Status()
		if s.random.IntN(2) == 0 {
			s.dns.Fail()
		} else {
			s.dns.Silence()
		}
	},
	hold: func(s *scene) {
		s.within(0, "a stale list", func() bool {
			seen, _ := s.caller.Status().Service()
			return seen.State == "stale" && seen.Trouble != ""
		})
		s.wait(s.scale.outage)
		logged := s.caller.Status().Logged - s.before.Logged
		s.figure("lines logged", logged)
		if most := time.Since(s.broken).Seconds() + 1; float64(logged) > most {
			s.Errorf("%d lines were logged in %s, allowed is one a second", logged, time.Since(s.broken))
		}
	},
	heal: func(s *scene) { s.dns.Heal() },
	recovered: func(s *scene) {
		s.figure("live after", s.within(5*time.Second, "live list", s.sees(instances)))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}
