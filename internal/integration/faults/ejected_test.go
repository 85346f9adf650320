package faults_test

import (
	"net/http"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// pauseAnyone makes an instance hang.
func (s *scene) pauseAnyone() {
	s.victim = s.anyone()
	s.broken = time.Now()
	if err := s.victim.Pause(); err != nil {
		s.Fatal(err)
	}
	s.dying = time.Since(s.broken)
}

// resumePassedOver lets it go on, once nobody else is passed over.
func (s *scene) resumePassedOver() {
	s.onlyPassedOver(s.victim.ID)
	if err := s.victim.Resume(); err != nil {
		s.Fatal(err)
	}
}

// hung: who does not answer any more gets few calls while they wait, and none
// once their time is up. Timeouts are not retried, so the calls that it got by
// then are lost; there is no timeout per attempt, so that of the call counts.
var hung = row{
	number: 13, fault: "instance hangs",
	setup: func(s *scene) {
		s.scale.deadline = 2 * time.Second
		s.usual()
		s.call(s.via(s.callerLink))
	},
	inject: (*scene).pauseAnyone,
	heal:   (*scene).resumePassedOver,
	check: func(s *scene) {
		inFlight, lost := 0, 0
		for _, c := range s.history.Calls {
			if s.wasOnVictim(c) {
				inFlight++
			}
			if c.Err != "" && lastOn(c, s.victim.ID) {
				lost++
			}
		}
		s.figure("in flight on the victim", inFlight)
		s.figure("calls lost", lost)
		if most := max(5, inFlight); lost > most {
			s.Errorf("%d calls were lost, at most %d may be", lost, most)
		}
		s.mayFail("sent to the victim, and timed out", func(c history.Call) bool {
			return c.TimedOut && lastOn(c, s.victim.ID)
		})
		s.figure("p99 while it hangs", s.quantile(0.99, s.broken, s.mended))
	},
}

// hungTimed: the same where rules bound each attempt and let it be made again
// elsewhere: what is idempotent does not fail.
var hungTimed = row{
	number: 13, fault: "instance hangs, attempts have a timeout",
	setup: func(s *scene) {
		s.inTurn = true // so that it takes five to eject it
		s.usual()
		s.call(s.via(s.callerLink))
		s.applied(s.rule(document(`"retries":{"perTryTimeout":"1s","retryOn":["connect-failure","reset","timeout"]}`)))
	},
	inject: (*scene).pauseAnyone,
	heal:   (*scene).resumePassedOver,
	check: func(s *scene) {
		inFlight := 0
		for _, c := range s.history.Calls {
			if s.wasOnVictim(c) {
				inFlight++
			}
		}
		lost, _ := s.failedOnVictim()
		s.figure("in flight on the victim", inFlight)
		s.figure("attempts lost", lost)
		if most := max(5, inFlight) + s.perAttempt(); lost == 0 || lost > most {
			s.Errorf("%d attempts were lost, want some, and %d at most", lost, most)
		}
		s.mayFail("idempotent, or not sent to the victim", func(c history.Call) bool {
			return !c.Idempotent && c.TimedOut && c.Maybe && lastOn(c, s.victim.ID)
		})
		s.figure("p99 while it hangs", s.quantile(0.99, s.broken, s.mended))
		s.figure("p99 a second after it began to", s.quantile(0.99, s.broken.Add(time.Second), s.mended))
	},
}

// slowed: who is slower than the others gets as many calls as it can do in the
// time of the others, and is not ejected for it, nor is anybody else.
var slowed = row{
	number: 15, fault: "instance slow",
	inject: func(s *scene) { s.misbehave(fleet.Behaviour{Work: 10 * work}) },
	hold:   func(s *scene) { s.sleep(10 * time.Second) },
	heal:   func(s *scene) { s.onlyPassedOver() },
	check: func(s *scene) {
		noticed := s.broken.Add(5 * time.Second)
		share := s.shareOfFair(s.victim.ID, instances, noticed, s.mended)
		s.figure("share of fair", share)
		if share > 0.3 {
			s.Errorf("5s after it became slow its share is %.2f of what is fair, at most 0.3 is allowed", share)
		}
		s.figure("p99 before", s.quantile(0.99, s.broken.Add(-s.scale.warm), s.broken))
		s.figure("p99 while it is slow", s.quantile(0.99, noticed, s.mended))
		s.noneFailed()
	},
}

// sinkhole: fast errors attract nobody. Answers are not retried, so that each
// attempt it gets is a call that fails. The default policy may leave it alone
// before five failures in a row eject it: what is bounded is what it gets.
var sinkhole = attracting("fast errors", nil)

// sinkholeRetried: where rules let such an answer be asked for again, only what is
// not idempotent fails.
var sinkholeRetried = attracting("fast errors, retried", func(s *scene) {
	s.usual()
	s.call(s.via(s.callerLink))
	s.applied(s.rule(document(`"retries":{"retryOn":["connect-failure","reset","server-failure"]}`)))
})

func attracting(fault string, setup func(*scene)) row {
	return row{
		number: 16, fault: fault,
		setup: setup,
		inject: func(s *scene) {
			s.misbehave(fleet.Behaviour{Work: 100 * time.Microsecond, Status: http.StatusInternalServerError})
		},
		hold: func(s *scene) {
			out := s.isOut(s.victim.ID, "consecutive-failures")
			for began := time.Now(); time.Since(began) < slack*2*time.Second; s.sleep(20 * time.Millisecond) {
				if out() {
					s.figure("ejected after", time.Since(began))
					break
				}
			}
			s.sleep(time.Second)
			s.ejected = out()
			s.onlyPassedOver(s.victim.ID)
		},
		check: func(s *scene) {
			s.figure("share of fair in the first second", s.shareOfFair(s.victim.ID, instances, s.broken, s.broken.Add(time.Second)))
			until := s.broken.Add(slack * time.Second)
			share := s.shareOfFair(s.victim.ID, instances, s.broken, until)
			s.figure("share of fair", share)
			if share > 1 {
				s.Errorf("its share of the attempts is %.2f of what is fair", share)
			}
			// Beside the five that eject it, a few may be in flight.
			n := s.attemptsTo(s.victim.ID, s.broken, s.mended)
			early := s.attemptsTo(s.victim.ID, s.broken, s.mended.Add(-time.Second))
			if s.figure("attempts", n); n > 5+3 || early >= 5 && !s.ejected {
				s.Errorf("it had %d attempts, is ejected: %t", n, s.ejected)
			}
			s.mayFail("the victim answered, and no rule lets it be tried again", func(c history.Call) bool {
				return lastOn(c, s.victim.ID) && (setup == nil || !c.Idempotent)
			})
		},
	}
}

// misbehave makes the victim do so.
func (s *scene) misbehave(b fleet.Behaviour) {
	s.Helper()
	s.victim = s.anyone()
	if err := s.victim.Behave(s.Context(), b); err != nil {
		s.Fatal(err)
	}
	s.broken = time.Now()
}

// lastOn reports whether the last attempt of c went to an instance.
func lastOn(c history.Call, id string) bool {
	return len(c.Attempts) > 0 && c.Attempts[len(c.Attempts)-1].Instance == id
}
