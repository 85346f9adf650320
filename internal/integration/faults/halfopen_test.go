package faults_test

import (
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// The connections to an instance that stand go silent, as when whoever stood in
// between has forgotten them. New ones work.

// freeze lets that happen, and counts them.
func (s *scene) freeze() {
	s.broken = time.Now()
	s.victimLink.Freeze()
	s.standing = s.victimLink.Standing()
}

// halfOpen: over HTTP/1 each such connection costs one attempt, whose time is up.
var halfOpen = row{
	number: 19, fault: "half-open connections, HTTP1",
	setup: func(s *scene) {
		s.inTurn, s.scale.deadline = true, time.Second
		s.behind()
		s.call(s.via(s.callerLink))
	},
	inject: (*scene).freeze,
	check: func(s *scene) {
		failed, _ := s.failedOnVictim()
		s.figure("connections that stood", s.standing)
		s.figure("failed attempts", failed)
		if failed == 0 || failed > s.standing {
			s.Errorf("%d attempts failed over %d connections, want some, and one each at most", failed, s.standing)
		}
		s.answersAgain(s.scale.deadline + time.Second)
		s.mayFail("sent to the victim, and timed out", func(c history.Call) bool {
			return c.TimedOut && lastOn(c, s.victim.ID)
		})
	},
}

// halfOpenPinged: over HTTP/2 pings find out, whatever time the calls have. What
// is idempotent does not fail for it. So many calls that are lost together eject
// the victim, which therefore does not show when it answers again.
var halfOpenPinged = row{
	number: 19, fault: "half-open connection, HTTP2 without timeouts",
	setup: func(s *scene) {
		s.protocol, s.inTurn, s.scale.deadline = fleet.HTTP2, true, time.Minute
		s.behind()
		s.call(s.via(s.callerLink))
	},
	inject: (*scene).freeze,
	hold:   func(s *scene) { s.sleep(12 * time.Second) },
	check: func(s *scene) {
		failed, last := s.failedOnVictim()
		s.figure("failed attempts", failed)
		if s.figure("the last after", last); failed == 0 || last > slack*8*time.Second { // pings: 5 s, 2 s, and one more
			s.Errorf("%d attempts failed, the last %s after the fault, promised are 8s", failed, last)
		}
		s.mayFail("idempotent, or not on the victim", func(c history.Call) bool {
			return !c.Idempotent && c.Maybe && lastOn(c, s.victim.ID)
		})
	},
}

// halfOpenRenewed: a call whose time is up on a connection that nothing came back
// from is enough to have another one.
var halfOpenRenewed = row{
	number: 19, fault: "half-open connection, HTTP2 with timeouts",
	setup: func(s *scene) {
		s.protocol, s.inTurn, s.scale.deadline = fleet.HTTP2, true, time.Second
		s.behind()
		s.call(s.via(s.callerLink))
	},
	inject: (*scene).freeze,
	hold: func(s *scene) {
		s.sleep(3 * time.Second)
		s.figure("renewals", s.caller.Status().Renewals)
	},
	check: func(s *scene) {
		failed, _ := s.failedOnVictim()
		s.figure("failed attempts", failed)
		s.answersAgain(s.scale.deadline + time.Second)
		s.mayFail("sent to the victim before its connection was replaced", func(c history.Call) bool {
			return c.TimedOut && lastOn(c, s.victim.ID) && c.Start < s.history.Moment(s.broken)+slack*s.scale.deadline
		})
	},
}

// halfOpenTimed: where rules bound each attempt and let it be made again, nothing
// that is idempotent fails, whatever is spoken. Pings of gRPC come too late to be
// of use.
var (
	halfOpenTimed     = timed(fleet.HTTP1, "half-open connections, HTTP1, attempts have a timeout")
	halfOpenTimedH2   = timed(fleet.HTTP2, "half-open connection, HTTP2, attempts have a timeout")
	halfOpenTimedGRPC = timed(fleet.GRPC, "half-open connection, gRPC, attempts have a timeout")
)

func timed(p fleet.Protocol, fault string) row {
	return row{
		number: 19, fault: fault,
		setup: func(s *scene) {
			s.protocol, s.inTurn = p, true
			s.behind()
			s.call(s.via(s.callerLink))
			s.applied(s.rule(document(`"retries":{"perTryTimeout":"1s","retryOn":["connect-failure","reset","timeout"]}`)))
		},
		inject: (*scene).freeze,
		check: func(s *scene) {
			failed, last := s.failedOnVictim()
			s.figure("connections that stood", s.standing)
			s.figure("failed attempts", failed)
			s.figure("the last after", last)
			// Over HTTP/1 one for each connection. Else those that begin before the
			// first has ended, or before five ejected the victim, and its probes.
			most := s.standing
			if p != fleet.HTTP1 {
				most = 5 + s.perAttempt() + int(s.mended.Sub(s.broken).Seconds())
			}
			if failed == 0 || failed > most {
				s.Errorf("%d attempts failed, want some, and at most %d", failed, most)
			}
			s.mayFail("idempotent, or not sent to the victim", func(c history.Call) bool {
				return !c.Idempotent && c.TimedOut && c.Maybe && lastOn(c, s.victim.ID)
			})
		},
	}
}

// perAttempt is how many attempts to one instance begin in turn before the first has
// had its second, with one more for each that is a retry.
func (s *scene) perAttempt() int { return 2 * int(s.scale.rate) / instances }

// failedOnVictim counts the attempts to the victim that ended badly after the
// fault, and says how long after it the last did.
func (s *scene) failedOnVictim() (n int, last time.Duration) {
	for _, c := range s.history.Calls {
		for _, a := range c.Attempts {
			if a.Instance == s.victim.ID && a.End > s.history.Moment(s.broken) && a.Outcome != "success" {
				n, last = n+1, max(last, a.End-s.history.Moment(s.broken))
			}
		}
	}
	return n, last
}

// answersAgain says that the victim answered to an attempt of after the fault
// within a time of it.
func (s *scene) answersAgain(promise time.Duration) {
	s.Helper()
	first := time.Duration(0)
	for _, c := range s.history.Calls {
		for _, a := range c.Attempts {
			if a.Instance == s.victim.ID && a.Start > s.history.Moment(s.broken) && a.Outcome == "success" && (first == 0 || a.End < first) {
				first = a.End
			}
		}
	}
	took := first - s.history.Moment(s.broken)
	if first == 0 || took > slack*promise {
		s.Errorf("the victim answers again after %s (0: never), promised is %s", max(0, took), promise)
	}
	s.figure("answers again after", max(0, took))
}
