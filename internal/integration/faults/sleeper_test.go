package faults_test

import (
	"math/rand/v2"
	"testing"
	"time"
)

// An instance is stopped for longer than its TTL, as a machine that is moved,
// and goes on as if nothing had happened. It must not go on unregistered.
func TestInstanceThatSleptRegistersAgain(t *testing.T) {
	t.Parallel()
	s := &scene{T: t, scale: quick(), random: rand.New(rand.NewPCG(firstSeed(), 16))}
	s.usual()
	sleeper := s.anyone()
	before := s.registered()[sleeper.ID]
	if err := sleeper.Pause(); err != nil {
		t.Fatal(err)
	}
	s.within(s.scale.ttl+time.Second, "the record of the sleeper gone", func() bool { return s.registered()[sleeper.ID] == 0 })
	if err := sleeper.Resume(); err != nil {
		t.Fatal(err)
	}
	took := s.within(s.scale.ttl/4+time.Second, "the sleeper registered", func() bool { return s.registered()[sleeper.ID] != 0 })
	t.Logf("registered %s after it woke", took)
	if now := s.registered()[sleeper.ID]; now == before {
		t.Errorf("its lease is %x, which had expired", now)
	}
	s.within(0, "that it knows", func() bool {
		status, err := sleeper.Status(t.Context())
		return err == nil && status.Dump.Registrations[0].Registered && status.Dump.Registrations[0].Repairs == 1
	})
}
