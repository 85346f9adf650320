package faults_test

import (
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// Callers take back one call in three, at any moment of it. The instance hears of
// it, nobody is charged with it, and nothing is tried again.
var (
	takenBack     = takingBack(fleet.HTTP1, "caller cancels, HTTP1")
	takenBackGRPC = takingBack(fleet.GRPC, "caller cancels, gRPC")
)

func takingBack(p fleet.Protocol, fault string) row {
	return row{
		number: 44, fault: fault,
		setup: func(s *scene) {
			s.protocol = p
			s.usual()
			settings := s.calling(s.via(s.callerLink))
			settings.Cancels = 3
			s.start(settings, instances)
		},
		inject: func(s *scene) {},
		hold:   func(s *scene) { s.sleep(4 * time.Second) },
		heal: func(s *scene) {
			s.caller.Rest()
			s.onlyPassedOver()
			seen, _ := s.caller.Status().Service()
			for _, outcome := range []string{"failure", "overload", "timeout", "lost"} {
				if n := seen.Attempts[outcome]; n != 0 {
					s.Errorf("%d attempts are counted as %s", n, outcome)
				}
			}
			if seen.Retries != 0 || seen.BudgetRefused != 0 {
				s.Errorf("%d calls were tried again, %d more could not be paid", seen.Retries, seen.BudgetRefused)
			}
			neutral, noticed := seen.Attempts["neutral"], s.all(func(is fleet.Status) int64 { return is.Abandoned })
			s.figure("attempts taken back", neutral)
			s.figure("of which instances noticed", noticed)
			if neutral < 20 || noticed < neutral/2 {
				s.Errorf("%d attempts were taken back, and instances noticed %d of them", neutral, noticed)
			}
		},
		check: func(s *scene) {
			longest := time.Duration(0)
			s.mayFail("was not taken back", func(c history.Call) bool {
				if c.Cancelled == 0 {
					return false
				}
				longest = max(longest, c.End-c.Cancelled)
				return !c.TimedOut
			})
			s.figure("longest from cancellation to end", longest)
			if longest > time.Second {
				s.Errorf("a call ended %s after it was taken back", longest)
			}
		},
	}
}

// all adds up something of all instances.
func (s *scene) all(of func(fleet.Status) int64) (n int64) {
	s.Helper()
	for _, i := range s.fleet.Running() {
		is, err := i.Status(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		n += of(is)
	}
	return n
}
