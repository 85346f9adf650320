package faults_test

import (
	"net/http"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
	"github.com/fairlead-go/fairlead/internal/integration/wallclock"
)

// jumping: the wall clocks of all processes go forward by an hour, and back by two.
// No time has passed for it: who is passed over is so still, leases and lists live
// on, and no call is out of time.
var (
	jumping        = jump("wall clocks jump by an hour, one is ejected", ``)
	jumpingBreaker = jump("wall clocks jump by an hour, a breaker is open",
		`,"outlierDetection":{"off":true},"circuitBreaker":{"scope":"instance","consecutiveFailures":5,"openFor":"2m"}`)
)

func jump(fault, passesOver string) row {
	return row{
		number: 30, fault: fault,
		setup: func(s *scene) {
			if !wallclock.Supported {
				s.Skip("clocks do not jump on this system")
			}
			s.inTurn = true
			s.base()
			s.fleet.Clock = true
			s.fleet.Start(instances)
			s.within(0, "all instances registered", s.allRegistered)
			settings := s.calling(s.via(s.callerLink))
			settings.Clock = true
			s.start(settings, instances)
			s.applied(s.rule(document(`"retries":{"retryOn":["connect-failure","reset","server-failure"]}` + passesOver)))
		},
		inject: func(s *scene) {
			s.misbehave(fleet.Behaviour{Status: http.StatusInternalServerError})
			s.within(0, "five failures", func() bool {
				is, err := s.victim.Status(s.Context())
				if err != nil {
					s.Fatal(err)
				}
				return is.Failed >= 5
			})
			s.sleep(time.Second)
			s.leases = s.registered()
			s.returned = time.Now()
			for _, by := range []time.Duration{time.Hour, -time.Hour} {
				s.caller.Jump(by)
				for _, i := range s.fleet.Running() {
					if err := i.Jump(s.Context(), by); err != nil {
						s.Fatal(err)
					}
				}
				s.sleep(2 * time.Second)
				if !s.sees(instances)() {
					s.Errorf("after a jump by %s: %s", by, s.state())
				}
				s.onlyPassedOver(s.victim.ID)
			}
			s.sameLeases()
		},
		hold: func(s *scene) {},
		check: func(s *scene) {
			before := s.attemptsTo(s.victim.ID, s.broken, s.returned)
			after := s.attemptsTo(s.victim.ID, s.returned, s.mended)
			s.figure("attempts that found out", before)
			if s.figure("attempts to who is passed over, after the jumps", after); before == 0 || after > 0 {
				s.Errorf("the victim had %d attempts before its breaker was open, and %d after clocks jumped", before, after)
			}
			s.neverFewer(instances)
			s.mayFail("idempotent, or not answered by the victim", func(c history.Call) bool {
				return !c.Idempotent && lastOn(c, s.victim.ID)
			})
		},
	}
}
