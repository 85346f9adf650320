package faults_test

import (
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/caller"
)

// registryDead: nobody needs etcd to make calls.
var registryDead = row{
	number: 3, fault: "registry dead",
	setup: func(s *scene) {
		s.usual()
		s.call(s.via(s.callerLink))
		s.before = s.atRest()
	},
	inject: func(s *scene) { s.etcd.Kill() },
	hold: func(s *scene) {
		s.sleep(4 * time.Second) // the first ten seconds are another matter
		s.dials = s.callerLink.Accepted()
		began := time.Now()
		s.wait(s.scale.outage)
		s.dials = s.callerLink.Accepted() - s.dials
		if most := time.Since(began).Seconds()/2 + 1; float64(s.dials) > most {
			s.Errorf("%d connections were tried in %s, allowed are %.0f", s.dials, time.Since(began).Round(time.Second), most)
		}
		s.figure("dials per second", float64(s.dials)/time.Since(began).Seconds())
	},
	heal: func(s *scene) { s.etcd.Restart(s) },
	recovered: func(s *scene) {
		s.figure("live after", s.within(5*time.Second+relist, "live list", s.sees(instances)))
		after := s.atRest()
		s.figure("goroutines", after.Goroutines-s.before.Goroutines)
		s.figure("RSS ratio", float64(after.RSS)/float64(s.before.RSS))
		if after.Goroutines != s.before.Goroutines {
			s.Errorf("%d goroutines before the fault and %d after it", s.before.Goroutines, after.Goroutines)
		}
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
	},
}

// atRest measures the caller while it calls nobody.
func (s *scene) atRest() caller.Status {
	s.caller.Rest()
	defer s.caller.Load()
	s.sleep(time.Second) // connections end
	return s.caller.Measure()
}
