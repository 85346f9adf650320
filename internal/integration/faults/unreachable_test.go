package faults_test

import (
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/history"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// A record leads to where no call can be sent: to another instance, then, of
// whatever method the call is.

const nowhere = "nowhere" // ID of that record

// lead puts the record.
func (s *scene) lead(addr string) {
	s.Helper()
	s.put(map[string]string{nowhere: fmt.Sprintf(
		`{"Op":0,"Addr":%q,"Metadata":{"id":%q,"service":%q,"endpoints":[{"protocol":"http","addr":%q}]}}`, addr, nowhere, service, addr)})
	s.within(0, "the record seen", s.sees(instances+1))
	s.broken = time.Now()
}

// met tells of the attempts there: how many there were, and how long the longest
// took.
func (s *scene) met() (n int, longest time.Duration) {
	s.Helper()
	for _, c := range s.history.Calls {
		for _, a := range c.Attempts {
			if a.Instance == nowhere {
				n, longest = n+1, max(longest, a.End-a.Start)
			}
		}
	}
	s.figure("attempts there", n)
	s.figure("longest of them", longest)
	// The first, those beside it, and a probe each second at most.
	if most := 5 + int(s.mended.Sub(s.broken).Seconds()); n == 0 || n > most {
		s.Errorf("%d attempts were made there, want some, and at most %d", n, most)
	}
	return n, longest
}

// unanswered: nobody answers to the connection that is asked for.
var unanswered = row{
	number: 20, fault: "connect black hole",
	inject: func(s *scene) { s.lead(tcpproxy.Unanswered(s, s.fleet.Host())) },
	check: func(s *scene) {
		if _, longest := s.met(); longest > slack*250*time.Millisecond+time.Second {
			s.Errorf("an attempt waited %s for a connection, promised are 250ms", longest)
		}
		s.noneFailed()
	},
}

// refusing: connections are refused.
var refusing = row{
	number: 21, fault: "connection refused",
	inject: func(s *scene) { s.lead(tcpproxy.Refusing(s, s.fleet.Host())) },
	check: func(s *scene) {
		s.met()
		s.noneFailed()
	},
}

// hangingUp: connections are reset as soon as they are made. Whoever has written a
// call by then cannot know whether it was read.
var hangingUp = row{
	number: 21, fault: "reset before bytes",
	setup: func(s *scene) {
		s.usual()
		settings := s.calling(s.via(s.callerLink))
		settings.Posts = 2
		s.start(settings, instances)
	},
	inject: func(s *scene) {
		link := tcpproxy.New(s, "")
		link.Cut()
		s.lead(link.Addr())
	},
	check: func(s *scene) {
		s.met()
		written := 0
		s.mayFail("idempotent, or not written", func(c history.Call) bool {
			if !c.Idempotent && c.Maybe && lastOn(c, nowhere) {
				written++
				return true
			}
			return false
		})
		s.figure("not idempotent, and written before the reset", written)
	},
}
