package faults_test

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// panicking: whoever is asked on the way of a call and panics has said nothing.
// Three times is enough, and then nobody is asked any more.
var panicking = row{
	number: 46, fault: "panics in callbacks",
	setup: func(s *scene) {
		s.scale.warm, s.scale.settle = 0, 0
		s.few(3)
		s.rule(document(`"circuitBreaker":{"scope":"service","consecutiveFailures":1,"openFor":"1ms"}`))
	},
	inject: func(s *scene) {
		var judged, observed, fellBack atomic.Int64
		panics := func(n *atomic.Int64) {
			n.Add(1)
			panic("a bug of the application")
		}
		c := s.client(
			transport.WithJudge(func(transport.Answer, transport.Class) transport.Class { panics(&judged); return 0 }),
			transport.WithObserver(func(transport.Event) { panics(&observed) }),
		)
		door, err := fairhttp.Config{Fallback: func(*http.Request, *http.Response, error) (*http.Response, error) {
			panics(&fellBack)
			return nil, nil
		}, Logger: slog.New(slog.DiscardHandler)}.Transport(c.mesh, nil)
		if err != nil {
			s.Fatal(err)
		}
		defer door.Close()
		c.http.Transport = door
		s.withRule(c)
		s.together(fleet.Behaviour{Status: http.StatusInternalServerError})
		for range 50 {
			if err := c.get(s.Context()); err == nil {
				s.Error("a call to somebody who is out of order succeeds")
			}
		}
		s.together(fleet.Behaviour{Work: work})
		s.sleep(100 * time.Millisecond) // longer than the breaker is open
		for range 20 {
			if err := c.get(s.Context()); err != nil {
				s.Errorf("all are well again, and a call has %v", err)
			}
		}
		for name, n := range map[string]*atomic.Int64{"the judge": &judged, "the observer": &observed, "the fallback": &fellBack} {
			s.soon("that "+name+" was asked", func() bool { return n.Load() > 0 })
			if n.Load() > 3 {
				s.Errorf("%s panicked %d times, and is asked still", name, n.Load())
			}
		}
		if n := c.inFlight(); n != 0 {
			s.Errorf("%d attempts are still in flight", n)
		}
		s.basePanics(c)
	},
	hold:  func(s *scene) {},
	check: func(s *scene) {},
}

// basePanics: what the base of a door panics with is the caller's to see, and
// leaves nothing in flight.
func (s *scene) basePanics(c *client) {
	s.Helper()
	door := fairhttp.New(c.mesh, broken{})
	defer door.Close()
	c.http.Transport = door
	for range 10 {
		func() {
			defer func() {
				if recover() == nil {
					s.Error("a panic of the base is swallowed")
				}
			}()
			c.get(s.Context())
		}()
	}
	if n := c.inFlight(); n != 0 {
		s.Errorf("after panics of the base, %d attempts are in flight for ever", n)
	}
}

// broken is a RoundTripper with a bug.
type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) { panic("a bug of the base") }

// withRule waits until the client goes by rules.
func (s *scene) withRule(c *client) {
	s.Helper()
	s.within(0, "the rule in force", func() bool {
		r := c.called().Rules
		if r != nil && r.Refused != "" {
			s.Fatal(r.Refused)
		}
		return r != nil && r.Revision > 0
	})
}

// deaf: an observer that never returns is waited for by nobody, and what it does not
// hear is counted.
var deaf = row{
	number: 47, fault: "observer blocks for ever",
	setup: func(s *scene) {
		s.scale.warm, s.scale.settle = 0, 0
		s.few(3)
		// Each failure opens it, and each call finds that its time is over.
		s.rule(document(`"retries":{"maxAttempts":1},"circuitBreaker":{"scope":"service","consecutiveFailures":1,"openFor":"1ms"},"outlierDetection":{"off":true}`))
	},
	inject: func(s *scene) {
		for hears, name := range map[bool]string{true: "mean beside one that hears", false: "mean beside one that blocks"} {
			blocked := make(chan struct{})
			events := new(atomic.Int64)
			c := s.client(transport.WithObserver(func(transport.Event) {
				events.Add(1)
				if !hears {
					<-blocked
				}
			}))
			s.withRule(c)
			s.together(fleet.Behaviour{Status: http.StatusInternalServerError})
			took := time.Duration(0)
			for range 400 {
				one := time.Now()
				if err := c.get(s.Context()); err == nil {
					s.Error("a call to somebody who is out of order succeeds")
				}
				took += time.Since(one)
				s.sleep(2 * time.Millisecond)
			}
			s.figure(name, (took / 400).String())
			s.figure("events heard by then", events.Load())
			if hears && events.Load() < 300 {
				s.Errorf("%d events were told, of which more than 256 would have to wait", events.Load())
			}
			if !hears && (events.Load() > 1 || took > slack*4*time.Second) {
				s.Errorf("400 calls of some milliseconds took %s, while the observer heard %d events and blocks at the first", took, events.Load())
			}
			if lost := c.mesh.Dump().UnobservedEvents; hears != (lost == 0) {
				s.Errorf("%d events are counted as dropped, by an observer that hears: %t", lost, hears)
			}
			if n := c.inFlight(); n != 0 {
				s.Errorf("%d attempts are still in flight", n)
			}
			close(blocked)
		}
	},
	hold:  func(s *scene) {},
	check: func(s *scene) {},
}
