package faults_test

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

// threeMembers is the setting with three etcds, all of which everybody knows.
func (s *scene) threeMembers() {
	s.Helper()
	s.cluster = etcdtest.StartCluster(s, 3)
	s.store = s.cluster.Client(s)
	everywhere := fleet.Registry{Endpoints: s.cluster.Endpoints(), TTL: s.scale.ttl}
	s.fleet = fleet.New(s, everywhere, service, work)
	s.fleet.Start(instances)
	s.within(0, "all instances registered", s.allRegistered)
	s.call(everywhere)
}

// stalledMember: the member that the caller listens to falls silent, and so
// does the one that it turns to, and the next; then one is left without the
// others.
var stalledMember = row{
	number: 9, fault: "watch stalls on a member",
	setup: func(s *scene) {
		// Longer than a member is silent here: a leader that slept for longer
		// than a lease lasts may let go of it when it wakes up (row 5).
		s.scale.ttl = 30 * time.Second
		s.threeMembers()
	},
	inject: func(s *scene) {
		for round, silent := range s.random.Perm(3) {
			s.cluster.Members[silent].Pause(s)
			_, put, _ := bystander(round)
			other := s.cluster.Members[(silent+1)%3].Client(s)
			s.within(0, "a write to another member", func() bool {
				ctx, cancel := context.WithTimeout(s.Context(), time.Second)
				defer cancel()
				_, err := other.Do(ctx, put)
				return err == nil
			})
			s.figure(fmt.Sprintf("heard elsewhere after, round %d", round+1),
				s.within(10*time.Second, "what another member was told", s.sees(instances+round+1)))
			s.cluster.Members[silent].Resume(s)
		}
		s.broken = time.Now()
		lonely := s.random.IntN(3)
		for n, m := range s.cluster.Members {
			if n != lonely {
				m.Pause(s)
			}
		}
	},
	hold: func(s *scene) { s.wait(3 * time.Second) },
	heal: func(s *scene) {
		for _, m := range s.cluster.Members {
			m.Resume(s)
		}
	},
	recovered: func(s *scene) {
		s.figure("live after", s.within(10*time.Second+relist, "live list", s.sees(instances+3)))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}

// leaderKilled: somebody else leads, and nobody is thought dead for it.
var leaderKilled = row{
	number: 10, fault: "leader change",
	setup: (*scene).threeMembers,
	inject: func(s *scene) {
		s.leases = s.registered()
		s.dead = s.cluster.Leader(s)
		s.broken = time.Now()
		s.cluster.Members[s.dead].Kill()
		s.figure("written after", s.within(3*time.Second, "a write", func() bool {
			ctx, cancel := context.WithTimeout(s.Context(), time.Second)
			defer cancel()
			_, err := s.store.Put(ctx, "any", "thing")
			return err == nil
		}))
	},
	heal: func(s *scene) { s.cluster.Members[s.dead].Restart(s) },
	recovered: func(s *scene) {
		s.within(5*time.Second+relist, "live list", s.sees(instances))
		s.sameLeases()
		s.fleet.Start(1)
		s.within(0, "what was written since", s.sees(instances+1))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}
