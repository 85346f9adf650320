package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

// Load is what a server says of its own load. A field of zero is not said.
type Load struct {
	// Utilization is the share of its capacity that is in use, of the application
	// or else of the CPU: 0 to 1, and more where it is overloaded.
	Utilization float64 `json:"utilization,omitempty"`
	// QPS and EPS are the calls and the failed calls that it serves in a second,
	// for all its clients.
	QPS float64 `json:"qps,omitempty"`
	EPS float64 `json:"eps,omitempty"`
	// InFlight is how many calls it is serving, for all its clients, the one whose
	// answer brings the report among them.
	InFlight int `json:"inFlight,omitempty"`
	// Latency is its own estimate of how long a call takes there while about
	// InFlight are served.
	Latency time.Duration `json:"latencyNs,omitempty"`
}

// Valid reports whether nothing of the load is negative, infinite or not a
// number.
func (l Load) Valid() bool {
	for _, f := range [...]float64{l.Utilization, l.QPS, l.EPS} {
		if !(f >= 0 && f <= math.MaxFloat64) {
			return false
		}
	}
	return l.InFlight >= 0 && l.Latency >= 0
}

// Reported is what a server last said of its load, for display.
type Reported struct {
	Load
	Age time.Duration `json:"ageNs"`
	// Refused counts the reports that were not valid or could not be read.
	Refused int64 `json:"refused,omitempty"`
}

// reports is what the server of a node last said. It is two reports in one,
// since not every server says all: how many calls it has and how long they take,
// which [Prequal] goes by; and what gRFC A58 makes a weight of, see
// [ReportedWeights]. It has a cache line of its own, as every answer may write it.
//
// Reports that come at the same moment may be mixed: then each number is that
// of one of them.
type reports struct {
	at       atomic.Int64  // when it last said a latency
	latency  atomic.Uint32 // a float32 of nanoseconds
	eps      atomic.Uint32 // a float32
	inFlight atomic.Uint64 // in the upper half; in the lower, what was outstanding here at that moment
	rates    atomic.Uint64 // float32s: utilization in the upper half, QPS in the lower

	weighed atomic.Int64 // when it last said all that makes a weight
	since   atomic.Int64 // when it began to say so

	refused atomic.Int64
	_       [8]byte
}

// unsaid is a moment so long ago that nothing of it is left, and from which time
// can be reckoned.
const unsaid = math.MinInt64 / 2

// listen returns the node's reports, and makes doors look for some from now on.
func (n *Node) listen() *reports {
	if r := n.reports.Load(); r != nil {
		return r
	}
	r := new(reports)
	for _, at := range [...]*atomic.Int64{&r.at, &r.weighed, &r.since} {
		at.Store(unsaid)
	}
	if n.reports.CompareAndSwap(nil, r) {
		return r
	}
	return n.reports.Load()
}

// Listens reports whether anybody wants to know the server's load: a policy that
// goes by it, or whoever has called Report. Doors look for reports only then.
func (n *Node) Listens() bool { return n.reports.Load() != nil }

// Report takes note of what the server said of its load in an answer, for as
// long as its call is still outstanding. One that is not [Load.Valid] changes
// nothing but the count of those, which Stats shows.
func (n *Node) Report(now time.Duration, l Load) {
	r := n.listen()
	if !l.Valid() {
		r.refused.Add(1)
		return
	}
	if l.Latency > 0 {
		r.inFlight.Store(uint64(min(l.InFlight, math.MaxInt32))<<32 | n.outstanding.Load()>>32)
		r.latency.Store(math.Float32bits(float32(l.Latency)))
		r.at.Store(int64(now))
	}
	if l.Utilization > 0 && l.QPS > 0 {
		r.rates.Store(uint64(bitsOf(l.Utilization))<<32 | uint64(bitsOf(l.QPS)))
		r.eps.Store(bitsOf(l.EPS))
		r.weighed.Store(int64(now))
		r.since.CompareAndSwap(unsaid, int64(now))
	}
}

// Misreport counts a report that could not be read.
func (n *Node) Misreport() { n.listen().refused.Add(1) }

// bitsOf returns a number that is not negative as a float32 that is finite, and
// 0 only if it is.
func bitsOf(f float64) uint32 {
	if f == 0 {
		return 0
	}
	return math.Float32bits(float32(min(max(f, math.SmallestNonzeroFloat32), math.MaxFloat32)))
}

func numberOf(bits uint32) float64 { return float64(math.Float32frombits(bits)) }

// fresh reports whether the server has said a latency within the last maxAge. A
// clock that was set back makes nothing fresh.
func (r *reports) fresh(now, maxAge time.Duration) bool {
	age := now - time.Duration(r.at.Load())
	return age <= maxAge && age >= -maxAge
}

// calls is how many calls the server has now, as far as is known here: what it
// last said, and what was started or has ended here since; never less than what
// is outstanding here.
func (r *reports) calls(outstanding int64) int64 {
	word := r.inFlight.Load()
	return max(int64(word>>32)+outstanding-int64(uint32(word)), outstanding)
}

// last returns what was last said, nil if that is nothing.
func (r *reports) last(now time.Duration) *Reported {
	if r == nil {
		return nil
	}
	at, weighed := r.at.Load(), r.weighed.Load()
	said := Reported{Refused: r.refused.Load()}
	if max(at, weighed) == unsaid {
		if said.Refused == 0 {
			return nil
		}
		return &said
	}
	rates := r.rates.Load()
	said.Load = Load{
		Utilization: numberOf(uint32(rates >> 32)),
		QPS:         numberOf(uint32(rates)),
		EPS:         numberOf(r.eps.Load()),
		InFlight:    int(r.inFlight.Load() >> 32),
		Latency:     time.Duration(min(math.Float32frombits(r.latency.Load()), 1<<62)),
	}
	said.Age = max(0, now-time.Duration(max(at, weighed)))
	return &said
}
