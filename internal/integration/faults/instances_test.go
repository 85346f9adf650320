package faults_test

import (
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// instanceKilled: what can be executed elsewhere is, and the rest says that it
// may have been executed.
var instanceKilled = row{
	number: 12, fault: "instance killed",
	inject: func(s *scene) {
		s.victim = s.anyone()
		s.broken = time.Now()
		s.victim.Kill()
	},
	hold: func(s *scene) {
		s.figure("off the list after", s.within(s.scale.ttl+time.Second, "a list without the dead", s.sees(instances-1)))
	},
	check: func(s *scene) {
		inFlight := 0
		onVictim := func(c history.Call) bool {
			for _, a := range c.Attempts {
				if a.Instance == s.victim.ID && a.Start < s.history.Moment(s.mended) && a.End > s.history.Moment(s.broken)-10*time.Millisecond && a.Start < s.history.Moment(s.broken)+50*time.Millisecond {
					return true
				}
			}
			return false
		}
		for _, c := range s.history.Calls {
			if onVictim(c) {
				inFlight++
			}
		}
		s.figure("in flight on the victim", inFlight)
		s.figure("failed", len(s.history.Failed()))
		s.mayFail(": it was not in flight on the victim, or is idempotent", func(c history.Call) bool {
			return !c.Idempotent && c.Maybe && onVictim(c)
		})
	},
}
