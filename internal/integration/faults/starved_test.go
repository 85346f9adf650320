package faults_test

import (
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// starved: a client that was stopped, or gets no CPU, finds its calls timed out.
// That says nothing of the instances. So many are in flight on each that those
// which time out together would eject it.
var starved = starving("client starved of CPU", func(s *scene) {})

// starvedTimed: the same of attempts whose time is up before that of their calls.
var starvedTimed = starving("client starved of CPU, attempts have a timeout", func(s *scene) {
	s.applied(s.rule(document(`"retries":{"perTryTimeout":"900ms"}`)))
})

func starving(fault string, more func(*scene)) row {
	return row{
		number: 53, fault: fault,
		setup: func(s *scene) {
			s.scale.deadline, s.tardy = time.Second, slack*2*time.Second
			s.etcd = etcdtest.Start(s)
			s.links()
			s.fleet = fleet.New(s, s.via(s.fleetLink), service, 700*time.Millisecond)
			s.fleet.Start(instances)
			s.within(0, "all instances registered", s.allRegistered)
			s.call(s.via(s.callerLink))
			more(s)
		},
		inject: func(s *scene) {
			if err := s.caller.Pause(); err != nil {
				s.Fatal(err)
			}
		},
		hold: func(s *scene) { s.sleep(2 * time.Second) },
		heal: func(s *scene) {
			if err := s.caller.Resume(); err != nil {
				s.Fatal(err)
			}
			s.sleep(time.Second)
			s.figure("failed after the stop", s.caller.Status().Failed)
			s.onlyPassedOver()
			s.caller.Starve(3 * time.Second)
			s.figure("failed after starvation", s.caller.Status().Failed)
			s.onlyPassedOver()
		},
		check: func(s *scene) {
			s.mayFail("timed out", func(c history.Call) bool { return c.TimedOut })
			if len(s.history.Failed()) < 5*instances {
				s.Errorf("%d calls timed out, which ejects nobody anyway", len(s.history.Failed()))
			}
		},
	}
}
