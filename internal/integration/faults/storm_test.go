package faults_test

import (
	"net/http"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// storm: three services call each other, each tries three times, and the last
// fails always. What each is sent stays within the budgets of those that call it.
// Without them it would be 27 times what was asked for.
var storm = row{
	number: 41, fault: "retry storm over three hops",
	setup: threeHops,
	inject: func(s *scene) {
		s.caller.Rest()
		s.began()
		defer s.caller.Load()
		for _, i := range s.hops[2].Running() {
			if err := i.Behave(s.Context(), fleet.Behaviour{Status: http.StatusServiceUnavailable}); err != nil {
				s.Fatal(err)
			}
		}
		s.broken = time.Now()
	},
	hold: func(s *scene) { s.sleep(5 * time.Second) },
	heal: func(s *scene) {
		// One budget per process that calls: 20 %, 10/s and the ten seconds that it
		// starts with.
		s.caller.Rest() // nothing is under way while it is counted
		calls, callers := s.caller.Status().Started-s.calls, 1
		for n, hop := range s.hops {
			received := s.received(hop) - s.got[n]
			most := 1.2*float64(calls) + float64(callers)*(10*(time.Since(s.broken).Seconds()+1)+100)
			s.figure(hop.Service()+" got", received)
			if float64(received) > most {
				s.Errorf("%s got %d calls for %d, at most %.0f may be", hop.Service(), received, calls, most)
			}
			calls, callers = received, hopWidth
		}
		// Whoever says when to come back is not asked before.
		for _, i := range s.hops[2].Running() {
			if err := i.Behave(s.Context(), fleet.Behaviour{Status: http.StatusServiceUnavailable, RetryAfter: 60}); err != nil {
				s.Fatal(err)
			}
		}
		s.began()
		s.caller.Load()
		s.sleep(2 * time.Second)
		s.caller.Rest()
		asked, got := s.received(s.hops[1])-s.got[1], s.received(s.hops[2])-s.got[2]
		s.figure("asked for with Retry-After", asked)
		s.figure("got", got)
		if asked == 0 || got > asked {
			s.Errorf("%d calls made %d attempts, though they were told to come back after a minute", asked, got)
		}
	},
	check: func(s *scene) {
		s.mayFail("all was well", func(c history.Call) bool { return c.End > s.history.Moment(s.broken) })
	},
}

// stormAdmitted: the last of them takes on nothing, by its admission, and says that it
// is of no use to come back soon. Nobody does.
var stormAdmitted = row{
	number: 41, fault: "retry storm, the last hop refuses by admission",
	setup: threeHops,
	inject: func(s *scene) {
		s.caller.Rest()
		s.ruleOf("prices", documentOf("prices", persistent+","+closed))
		s.within(0, "the last hop refuses", func() bool {
			s.caller.Load()
			defer s.caller.Rest()
			s.sleep(time.Second / 5)
			return s.everybodyRefuses(s.hops[2])
		})
		s.began()
		s.caller.Load()
		s.broken = time.Now()
	},
	hold: func(s *scene) { s.sleep(4 * time.Second) },
	heal: func(s *scene) {
		s.caller.Rest() // nothing is under way while it is counted
		asked, got := s.received(s.hops[1])-s.got[1], s.received(s.hops[2])-s.got[2]
		s.figure("asked for", asked)
		s.figure("got", got)
		if asked < 100 || got > asked {
			s.Errorf("%d calls made %d attempts, though they were told to come back in an hour", asked, got)
		}
	},
	check: func(s *scene) {
		s.mayFail("all was well", func(c history.Call) bool { return c.End > s.history.Moment(s.broken)-5*time.Second })
	},
}

// pushedBack is the same over gRPC, where it is grpc-retry-pushback-ms that says so.
var pushedBack = row{
	number: 41, fault: "refused by admission, gRPC",
	setup: func(s *scene) {
		s.protocol, s.scale.warm = fleet.GRPC, 0
		s.base()
		s.fleet.Admission = true
		s.fleet.Start(hopWidth)
		s.within(0, "all instances registered", s.allRegistered)
		s.rule(document(persistent))
		s.call(s.via(s.callerLink))
	},
	inject: func(s *scene) {
		s.applied(s.rule(document(persistent + "," + closed)))
		s.within(0, "all refuse", func() bool { return s.everybodyRefuses(s.fleet) })
		s.broken = time.Now()
	},
	hold: func(s *scene) { s.sleep(3 * time.Second) },
	check: func(s *scene) {
		calls, attempts := 0, 0
		for _, c := range s.history.Calls {
			if c.Start > s.history.Moment(s.broken) {
				calls, attempts = calls+1, attempts+len(c.Attempts)
			}
		}
		s.figure("calls", calls)
		s.figure("attempts", attempts)
		if calls < 100 || attempts > calls {
			s.Errorf("%d calls made %d attempts, though they were told to come back in an hour", calls, attempts)
		}
	},
}

// persistent are the rules of clients that try again what is refused. closed is that of
// servers who let in hardly anything, and so say that it is no use to come back soon.
const (
	persistent = `"retries":{"maxAttempts":3,"retryOn":["connect-failure","reset","overload"]},"outlierDetection":{"off":true}`
	closed     = `"server":{"limits":[{"name":"closed","rate":"1/h"}]}`
)

// threeHops are three services that call each other, and a caller.
func threeHops(s *scene) {
	s.base()
	for n, name := range []string{service, "stock", "prices"} {
		hop := s.fleet
		if n > 0 {
			hop = fleet.New(s, s.via(s.fleetLink), name, 0)
		}
		hop.Next, hop.Admission = []string{"stock", "prices", ""}[n], n == 2
		hop.Start(hopWidth)
		s.hops = append(s.hops, hop)
		s.ruleOf(name, documentOf(name, persistent))
	}
	s.within(0, "all instances registered", s.allRegistered)
	s.begin(s.via(s.callerLink), hopWidth)
	s.within(0, "the rule in force", func() bool { return s.rules().Revision > 0 })
}

// everybodyRefuses says whether each of a hop has refused calls.
func (s *scene) everybodyRefuses(hop *fleet.Fleet) bool {
	s.Helper()
	for _, i := range hop.Running() {
		is, err := i.Status(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		if is.Dump.Refused() == 0 {
			return false
		}
	}
	return true
}

// hopWidth is how many instances each of the services has.
const hopWidth = 3

// began remembers what was received so far.
func (s *scene) began() {
	s.calls, s.got = s.caller.Status().Started, nil
	for _, hop := range s.hops {
		s.got = append(s.got, s.received(hop))
	}
}

// received adds up the calls that instances of one hop got, be it that they refused them.
func (s *scene) received(hop *fleet.Fleet) (n int64) {
	s.Helper()
	for _, i := range hop.Running() {
		is, err := i.Status(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		n += is.Received + is.Dump.Refused()
	}
	return n
}
