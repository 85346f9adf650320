package faults_test

import (
	"net/http"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// allFailing: every instance answers that it is overloaded. There is nobody to turn
// to, so nobody is ejected below the line of panic, what is made again stays within
// the budget, and the breaker of the service opens: calls fail at once. When all are
// well again, so are the calls, after seconds.
var allFailing = row{
	number: 17, fault: "all instances return errors",
	setup: func(s *scene) {
		s.usual()
		s.call(s.via(s.callerLink))
		s.applied(s.rule(document(`"retries":{"retryOn":["connect-failure","reset","overload"]},
			"circuitBreaker":{"scope":"service","minRequests":20,"failureRate":"50%","openFor":"2s"}`)))
	},
	inject: func(s *scene) {
		s.broken = time.Now()
		s.together(fleet.Behaviour{Status: http.StatusServiceUnavailable})
	},
	hold: func(s *scene) { s.sleep(5 * time.Second) },
	heal: func(s *scene) {
		s.healing = time.Now()
		seen, _ := s.caller.Status().Service()
		out := 0
		for _, n := range seen.Instances {
			if n.Outage != nil {
				out++
			}
		}
		if s.figure("passed over", out); out > instances/2 {
			s.Errorf("%d of %d are passed over", out, instances)
		}
		s.together(fleet.Behaviour{Work: work})
		s.mended = time.Now()
	},
	recovered: func(s *scene) {
		failed, since := s.caller.Status().Failed, time.Now()
		s.within(5*time.Second+time.Second, "a second without a failure", func() bool {
			if n := s.caller.Status().Failed; n != failed {
				failed, since = n, time.Now()
			}
			return time.Since(since) > time.Second
		})
	},
	check: func(s *scene) {
		// The budget is among the rules of every history. Beyond the first second,
		// which opens the breaker, there are probes only.
		open := s.broken.Add(slack * time.Second)
		calls, attempts, last := 0, 0, time.Duration(0)
		for _, c := range s.history.Calls {
			if c.Start >= s.history.Moment(open) && c.Start < s.history.Moment(s.healing) {
				calls, attempts = calls+1, attempts+len(c.Attempts)
			}
			if c.Start >= s.history.Moment(s.mended) && c.Err != "" {
				last = c.End - s.history.Moment(s.mended)
			}
		}
		s.figure("calls while the breaker is open", calls)
		s.figure("attempts meanwhile", attempts)
		s.figure("median of a call meanwhile", s.quantile(0.5, open, s.healing).String())
		if most := instances * int(1+s.healing.Sub(open).Seconds()); calls == 0 || attempts > most {
			s.Errorf("%d calls made %d attempts while the breaker was to be open, at most %d may be: one probe per instance and second", calls, attempts, most)
		}
		if s.figure("recovered after", last); last > slack*5*time.Second {
			s.Errorf("a call failed %s after all were well again", last)
		}
		s.mayFail("all were well", func(c history.Call) bool { return c.End > s.history.Moment(s.broken) })
	},
}

// together makes all instances behave so.
func (s *scene) together(b fleet.Behaviour) {
	s.Helper()
	for _, i := range s.fleet.Running() {
		if err := i.Behave(s.Context(), b); err != nil {
			s.Fatal(err)
		}
	}
}
