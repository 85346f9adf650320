package faults_test

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A member that follows is stopped for longer than a lease lasts. Those whose
// heartbeats went to it turn to another in time: nobody loses its lease.
func TestSilentMemberCostsNoLease(t *testing.T) {
	t.Parallel()
	s := &scene{T: t, scale: quick(), random: rand.New(rand.NewPCG(firstSeed(), 9))}
	s.threeMembers()
	s.leases = s.registered()
	silent := s.cluster.Members[(s.cluster.Leader(s)+1+s.random.IntN(2))%3]
	silent.Pause(s)
	s.store = s.cluster.Members[s.cluster.Leader(s)].Client(s)
	s.sleep(s.scale.ttl * 3 / 2)
	s.sameLeases()
	silent.Resume(s)
	s.sleep(time.Second)
	s.sameLeases()
	s.stop()
}
