package balancer

import "math"

// sample is what some calls took.
type sample struct {
	ok, failed float64 // calls
	took       float64 // the sum of the logarithms, of those that went well
}

func (s *sample) add(o sample) {
	s.ok += o.ok
	s.failed += o.failed
	s.took += o.took
}

func (s *sample) scale(by float64) {
	s.ok *= by
	s.failed *= by
	s.took *= by
}

func (s *sample) calls() float64 { return s.ok + s.failed }

const (
	// few calls are the least that something is compared by.
	few = 3
	// deviation is that of the logarithm of one latency: that of waiting times,
	// π/√6.
	deviation = 1.28
)

// price is what a call is expected to cost, in nanoseconds; how many calls say
// so; and what it did cost in the past, 0 if that is not known.
type price struct{ cost, calls, past float64 }

// price is the geometric mean of the latencies, which a few calls that take very
// long hardly move. Failures come on top of it as in P2CEWMA; where all fail,
// nothing is dearer.
func (s *sample) price() price {
	if s.ok <= 0 {
		return price{math.Inf(1), s.calls(), 0}
	}
	share := s.ok / s.calls()
	return price{math.Exp2(s.took/s.ok/(1<<(23-logarithmShift))) / (share * share), s.calls(), 0}
}

// known reports whether there were calls enough to compare it at all.
func (p price) known() bool { return p.calls >= few }

// atLeast and atMost are what the price is, give or take the deviation of a mean
// of so many.
func (p price) atLeast() float64 { return p.cost * math.Exp(-deviation/math.Sqrt(p.calls)) }
func (p price) atMost() float64  { return p.cost * math.Exp(deviation/math.Sqrt(p.calls)) }

// inTrouble reports whether it is much dearer than in the past.
func (p price) inTrouble() bool { return p.past > 0 && p.atLeast() > trouble*p.past }
