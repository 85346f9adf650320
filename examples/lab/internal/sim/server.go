package sim

import (
	"math"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// server is one instance. It works on as many calls at a time as it has workers,
// in the order in which they come.
type server struct {
	class     int
	zone      int
	instance  *discovery.Instance
	condition Condition
	stage     stage
	free      []int64 // when each worker is: a heap with the first on top
	calls     int     // it has, waiting ones among them; counted where somebody asks
	stretches []stretch

	entrance entrance
	caller   int32   // the client that it is of the next hop
	waiting  []int32 // attempts, and
	busy     int     // workers that are, where it heeds its callers

	worked   float64 // nanoseconds of work that came since the scaler looked
	attempts int64   // that count in the result
	from     int64   // when it was on the list
	until    int64

	reporter *transport.LoadReporter // nil: nobody asks
	usage    usage
}

// refuses reports whether it has an admission.
func (s *server) refuses() bool { return s.entrance.limit != nil || s.entrance.least != nil }

// asksFor is how long it wants to be left alone after an error.
func (s *server) asksFor(after ending, p *Plan) time.Duration {
	if d := p.Fleet[s.class].RetryAfter; d != 0 || after != overloaded || !s.refuses() {
		return d
	}
	return shedFor
}

// shedFor is what servers with an admission ask for, if nothing else is said: as
// much as those of package transport.
const shedFor = time.Second

type stage uint8

const (
	absent stage = iota
	listed
	draining
	gone // from the list
)

// quick is how long it takes to say no.
const quick = int64(100 * time.Microsecond)

// serve takes a call at a moment and returns when it is done.
func (s *server) serve(at int64, work float64) int64 {
	start := max(at, s.free[0])
	takes := work * s.condition.Slow
	done := s.after(start, takes)
	s.worked += takes
	s.occupy(done)
	return done
}

// occupy gives the worker who is free first something to do.
func (s *server) occupy(until int64) {
	h := s.free
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[child] >= until {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = until
}

// usage is the share of the workers that are busy, averaged over about a second.
type usage struct {
	share float64
	at    int64
}

func (s *server) count(by int, now int64) {
	if s.reporter != nil {
		share := float64(min(s.calls, len(s.free))) / float64(len(s.free))
		s.usage.share += (share - s.usage.share) * -math.Expm1(-float64(now-s.usage.at)/float64(perSecond))
		s.usage.at = now
	}
	s.calls += by
}

// report makes a server measure what it says in its answers.
func (s *server) report() {
	s.reporter = &transport.LoadReporter{Utilization: func() float64 { return s.usage.share }}
}

// report is what a server says of itself in an answer.
type report struct {
	served transport.Served
	load   balancer.Load
	said   bool
}
