package faults_test

import (
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

// revoked: whoever may not read any more keeps what was read, says so, and does
// not hammer.
var revoked = row{
	number: 51, fault: "permission revoked",
	setup: func(s *scene) {
		s.etcd = etcdtest.Start(s)
		s.links()
		s.store = s.etcd.EnableAuth(s,
			etcdtest.User{Name: "instances", Password: "secret-i", Write: etcd.DefaultPrefix},
			etcdtest.User{Name: "callers", Password: "secret-c", Read: etcd.DefaultPrefix})
		s.fleet = fleet.New(s, as("instances", "secret-i", s.via(s.fleetLink)), service, work)
		s.fleet.Start(instances)
		s.within(0, "all instances registered", s.allRegistered)
		s.call(as("callers", "secret-c", s.via(s.callerLink)))
	},
	inject: func(s *scene) {
		if _, err := s.store.RoleRevokePermission(s.Context(), "callers", etcd.DefaultPrefix, clientv3.GetPrefixRangeEnd(etcd.DefaultPrefix)); err != nil {
			s.Fatal(err)
		}
		// An open watch goes on. Let it be opened anew.
		s.callerLink.Cut()
		s.callerLink.Pass()
		s.figure("unauthorised after", s.within(30*time.Second, "unauthorised and stale", func() bool {
			status := s.caller.Status()
			seen, _ := status.Service()
			return seen.State == "stale" && strings.Contains(seen.Trouble, discovery.ErrUnauthorized.Error()) &&
				strings.Contains(string(status.Dump.Registry), `"phase":"unauthorised"`)
		}))
	},
	hold: func(s *scene) {
		asked := s.denied()
		began := time.Now()
		s.sleep(max(s.scale.outage, 20*time.Second))
		asked, took := s.denied()-asked, time.Since(began)
		s.figure("asked again", asked)
		// The caller's one question each half minute is asked of the probe, the
		// list, the overrides, the rules and the settings.
		if most := 5 * (took.Seconds()/30 + 1); float64(asked) > most {
			s.Errorf("it asked %d times in %s, allowed are %.0f", asked, took.Round(time.Second), most)
		}
	},
	heal: func(s *scene) {
		if _, err := s.store.RoleGrantPermission(s.Context(), "callers", etcd.DefaultPrefix, clientv3.GetPrefixRangeEnd(etcd.DefaultPrefix), clientv3.PermissionType(clientv3.PermRead)); err != nil {
			s.Fatal(err)
		}
	},
	recovered: func(s *scene) {
		s.figure("live after", s.within(40*time.Second, "live list", s.sees(instances)))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}

func as(user, password string, r fleet.Registry) fleet.Registry {
	r.Username, r.Password = user, password
	return r
}

// denied counts the caller's calls that etcd refused.
func (s *scene) denied() int {
	codes := s.caller.Status().Registry.Codes
	return codes["PermissionDenied"] + codes["Unauthenticated"]
}

// noSpace: a store that is full stops the rollout and nothing else.
var noSpace = row{
	number: 52, fault: "no space during a rollout",
	setup: func(s *scene) {
		s.usual(etcdtest.WithQuota(2 << 20))
		s.call(s.via(s.callerLink))
	},
	inject: func(s *scene) {
		s.leases = s.registered()
		s.etcd.FillUp(s)
		s.victim = s.fleet.Start(1)[0]
		s.within(0, "a new instance that is not registered and says why", func() bool {
			status, err := s.victim.Status(s.Context())
			return err == nil && len(status.Dump.Registrations) == 1 && !status.Dump.Registrations[0].Registered &&
				strings.Contains(status.Dump.Registrations[0].Reason, discovery.ErrNoSpace.Error())
		})
	},
	hold: func(s *scene) {
		s.sleep(max(s.scale.outage, s.scale.ttl*3/2))
		s.sameLeases()
	},
	heal: func(s *scene) { s.etcd.Disarm(s) },
	recovered: func(s *scene) {
		s.figure("registered after", s.within(5*time.Second, "all registered", s.allRegistered))
		s.within(0, "live list", s.sees(instances+1))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}
