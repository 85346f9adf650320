package faults_test

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// killed: what can be executed elsewhere is, and the rest says that it may have
// been executed.
var killed = row{
	number: 12, fault: "instance killed",
	inject: func(s *scene) {
		s.victim = s.anyone()
		s.broken = time.Now()
		s.victim.Kill()
		s.dying = time.Since(s.broken)
	},
	hold: func(s *scene) {
		s.figure("off the list after", s.within(s.scale.ttl+time.Second, "a list without the dead", s.sees(instances-1)))
	},
	check: func(s *scene) {
		inFlight := 0
		for _, c := range s.history.Calls {
			if s.wasOnVictim(c) {
				inFlight++
			}
		}
		s.figure("in flight on the victim", inFlight)
		// The first probe comes a second after the first refusal.
		further := s.attemptsTo(s.victim.ID, s.broken.Add(s.dying), s.broken.Add(s.dying+time.Second))
		if s.figure("further attempts", further); further > 3 {
			s.Errorf("%d attempts to the dead before it was passed over, at most 3 may be", further)
		}
		s.mayFail("idempotent, or not in flight on the victim", func(c history.Call) bool {
			return !c.Idempotent && c.Maybe && s.wasOnVictim(c)
		})
	},
}

// wasOnVictim reports whether an attempt of c was in flight on the victim when
// that died.
func (s *scene) wasOnVictim(c history.Call) bool {
	began := s.history.Moment(s.broken)
	for _, a := range c.Attempts {
		if a.Instance == s.victim.ID && a.Start < began+s.dying && a.End > began {
			return true
		}
	}
	return false
}

// zombie: who slept beyond its lease registers again, and its load grows as that
// of a new instance. It may be none at first: the default policy remembers for a
// minute how long the calls took that it slept through.
var zombie = row{
	number: 14, fault: "instance stopped beyond its TTL",
	inject: func(s *scene) {
		s.victim = s.anyone()
		if err := s.victim.Pause(); err != nil {
			s.Fatal(err)
		}
		s.broken = time.Now()
	},
	hold: func(s *scene) {
		s.within(s.scale.ttl+time.Second, "a list without the sleeper", s.sees(instances-1))
	},
	heal: func(s *scene) {
		if err := s.victim.Resume(); err != nil {
			s.Fatal(err)
		}
	},
	recovered: func(s *scene) {
		s.figure("back after", s.within(s.scale.ttl/4+time.Second, "a list with the sleeper", s.sees(instances)))
		s.returned = time.Now()
		s.sleep(4 * time.Second)
	},
	check: func(s *scene) {
		share := s.shareOfFair(s.victim.ID, instances, s.returned, s.returned.Add(4*time.Second))
		if s.figure("share of fair in its first 4s", share); share > 0.6 {
			s.Errorf("4s after it is back it had %.2f of a fair share, at most 0.6 is allowed: its weight grows from 0.1 to 0.4", share)
		}
		s.mayFail("in flight on the sleeper, or sent to it while it slept", func(c history.Call) bool {
			return c.TimedOut && lastOn(c, s.victim.ID)
		})
	},
}

// halfKilled: the other half carries the load, and nobody waits for the dead. A
// call has five attempts here, or one of the first might meet three of the dead
// and nobody after.
var halfKilled = row{
	number: 18, fault: "half of the instances killed together",
	setup: func(s *scene) {
		s.usual()
		settings := s.calling(s.via(s.callerLink))
		settings.MaxAttempts = 5
		s.start(settings, instances)
		s.applied(s.rule(document(`"retries":{"maxAttempts":5}`)))
	},
	inject: func(s *scene) {
		s.victims = s.fleet.Running()
		s.random.Shuffle(len(s.victims), func(i, j int) { s.victims[i], s.victims[j] = s.victims[j], s.victims[i] })
		s.victims = s.victims[:instances/2]
		s.broken = time.Now()
		for _, v := range s.victims { // all of them before the first is waited for
			if err := v.Signal(syscall.SIGKILL); err != nil {
				s.Error(err)
			}
		}
		for _, v := range s.victims {
			v.Kill()
		}
		s.dying = time.Since(s.broken)
	},
	hold: func(s *scene) { s.sleep(4 * time.Second) },
	check: func(s *scene) {
		dead, longest := 0, time.Duration(0)
		for _, c := range s.history.Calls {
			for _, a := range c.Attempts {
				if a.Start > s.history.Moment(s.broken)+s.dying && s.isVictim(a.Instance) {
					dead, longest = dead+1, max(longest, a.End-a.Start)
				}
			}
		}
		s.figure("attempts to the dead", dead)
		s.figure("longest of them", longest)
		if longest > time.Second {
			s.Errorf("an attempt waited %s for the dead", longest)
		}
		s.mayFail("idempotent, or not in flight on the dead", func(c history.Call) bool {
			met := slices.ContainsFunc(c.Attempts, func(a history.Attempt) bool { return s.isVictim(a.Instance) })
			return !c.Idempotent && c.Maybe && met
		})
	},
}

func (s *scene) isVictim(id string) bool {
	return slices.ContainsFunc(s.victims, func(v *fleet.Instance) bool { return v.ID == id })
}

// rolling: instances that are told to go leave in an order that nobody notices.
var rolling = row{
	number: 31, fault: "rolling restart of all instances",
	inject: func(s *scene) {
		for _, old := range s.fleet.Running() {
			if err := old.Terminate(patience); err != nil {
				s.Errorf("%s: %v", old.ID, err)
			}
			s.fleet.Start(1)
			s.within(0, "ten instances again", s.sees(instances))
		}
	},
	hold: func(s *scene) {},
	check: func(s *scene) {
		s.figure("restarted in", s.mended.Sub(s.broken))
		s.noneFailed()
		s.neverFewer(instances * 9 / 10)
	},
}

// herd: of all that start together the first one up is not overrun. Until it is,
// there is nobody to call.
var herd = row{
	number: 32, fault: "all instances restarted together",
	inject: func(s *scene) {
		before := s.fleet.Running()
		var ends sync.WaitGroup
		for _, old := range before {
			ends.Go(func() {
				if err := old.Terminate(patience); err != nil {
					s.Errorf("%s: %v", old.ID, err)
				}
			})
		}
		ends.Wait()
	},
	hold: func(s *scene) {
		s.victims = s.fleet.Start(instances)
		s.mended = time.Now()
	},
	recovered: func(s *scene) {
		s.figure("complete after", s.within(5*time.Second, "a list of all", s.sees(instances)))
		s.returned = time.Now()
		s.sleep(4 * time.Second)
	},
	check: func(s *scene) {
		first := s.firstListed()
		for from := s.returned; from.Before(s.returned.Add(4 * time.Second)); from = from.Add(2 * time.Second) {
			share := s.shareOfFair(first, instances, from, from.Add(2*time.Second))
			if s.figure("share of fair of the first", share); share > 2 {
				s.Errorf("%s, the first one up, had %.2f of a fair share", first, share)
			}
		}
		s.mayFail("there was nobody", func(c history.Call) bool { return c.Start < s.history.Moment(s.returned) })
	},
}

// firstListed is who was on a list before the other victims were.
func (s *scene) firstListed() string {
	s.Helper()
	for _, l := range s.history.Lists {
		for _, id := range l.Instances {
			if s.isVictim(id) {
				return id
			}
		}
	}
	s.Fatal("none of them was ever listed")
	return ""
}
