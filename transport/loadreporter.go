package transport

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/serving"
)

// LoadReporter measures what this process has to do as a server, for reports of
// its load that go out with its answers: ReportLoad of package fairhttp and of
// package fairgrpc write them. One reporter is meant for all that a process
// serves. The zero value is ready; it must not be copied once it is used.
// Methods are safe for concurrent use.
//
// The report has the calls in flight; the latency to expect, which is that of
// late of calls that found about as many in flight (as in Google's Prequal); and
// the rates of calls and failures over the last five seconds. Clients choose by
// the first two with [balancer.Prequal], and weigh servers by the others, if
// there is a Utilization, as in gRFC A58.
type LoadReporter struct {
	// Utilization says how much of what the process has is in use: of CPU,
	// workers, memory, or the most of these; 1 is all, and more than it can bear
	// is above. It is asked by calls, at most ten times a second, and must not
	// block. What is negative or not finite is not reported. nil: nothing is
	// said. It must not change while the reporter is in use.
	Utilization func() float64

	asked    atomic.Int64  // when Utilization may be asked again
	utilized atomic.Uint64 // a float64

	_         [64]byte // what calls only read is above
	inFlight  atomic.Int64
	calls     serving.Rate
	failures  serving.Rate
	latencies serving.Latencies
}

// Served is one call that is being served. It is a value; Done must be called on
// it once.
type Served struct {
	reporter *LoadReporter
	start    time.Duration
	found    int64 // calls in flight, with this one
}

// Start counts a call as in flight from now on, which is a time of
// [balancer.Now].
func (r *LoadReporter) Start(now time.Duration) Served {
	return Served{r, now, r.inFlight.Add(1)}
}

// Untimed is the same call, of which the length is the client's doing, as that of
// a stream: it is counted, and not taken for latency.
func (s Served) Untimed() Served {
	s.found = 0
	return s
}

// Done ends a call. A success says how long a call takes. One that failed, or that
// the client broke off (it is Neutral), says so only if it took longer than
// expected: failures are fast.
func (s Served) Done(now time.Duration, result balancer.Result) {
	r := s.reporter
	r.inFlight.Add(-1)
	r.calls.Add(now)
	if result >= balancer.Failure {
		r.failures.Add(now)
	}
	took := max(1, now-s.start)
	if result != balancer.Success {
		if expected := r.latencies.Expect(s.found, now); expected == 0 || took <= expected {
			return
		}
	}
	if s.found > 0 {
		r.latencies.Learn(s.found, float32(took), now)
	}
}

// Load is what to report in the answer to the call, before Done: the call itself
// is in flight. Where no call has ended yet, its age is all that is known of
// latency.
func (s Served) Load(now time.Duration) balancer.Load {
	l := s.reporter.Load(now)
	if l.Latency == 0 && s.found > 0 {
		l.Latency = max(1, now-s.start)
	}
	return l
}

// Load is the load at the moment, for display.
func (r *LoadReporter) Load(now time.Duration) balancer.Load {
	inFlight := r.inFlight.Load()
	return balancer.Load{
		Utilization: r.utilization(now),
		QPS:         r.calls.Over(now, r.calls.First()),
		EPS:         r.failures.Over(now, r.calls.First()),
		InFlight:    int(max(0, inFlight)),
		Latency:     r.latencies.Expect(inFlight, now),
	}
}

func (r *LoadReporter) utilization(now time.Duration) float64 {
	if r.Utilization == nil {
		return 0
	}
	if next := r.asked.Load(); int64(now) >= next && r.asked.CompareAndSwap(next, int64(now+100*time.Millisecond)) {
		used := r.Utilization()
		if !(used >= 0 && used <= math.MaxFloat64) {
			used = 0
		}
		r.utilized.Store(math.Float64bits(used))
	}
	return math.Float64frombits(r.utilized.Load())
}
