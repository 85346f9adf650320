package faults_test

import (
	"time"

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
