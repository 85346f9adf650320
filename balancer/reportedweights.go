package balancer

import (
	"cmp"
	"math"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// ReportedWeights says how the loads that servers report become weights,
//
//	QPS ÷ (utilization + EPS ÷ QPS × ErrorUtilizationPenalty)
//
// as in gRFC A58, whose names and defaults these are. The zero value is the
// default.
type ReportedWeights struct {
	// BlackoutPeriod is how long a server must have reported before its weight is
	// used, at first and after a weight has expired, so that one that comes or
	// comes back does not churn the weights; 0 means 10 s, less than 0 means none.
	BlackoutPeriod time.Duration `json:"blackoutPeriodNs,omitzero"`
	// WeightExpirationPeriod is how long after its last report the weight of a
	// server is used; 0 means 3 min.
	WeightExpirationPeriod time.Duration `json:"weightExpirationPeriodNs,omitzero"`
	// ErrorUtilizationPenalty is what failing calls count for: as if so much more
	// were in use if all fail; 0 means 1, less than 0 means nothing.
	ErrorUtilizationPenalty float64 `json:"errorUtilizationPenalty,omitzero"`
}

// Validate reports a bad field as a [*discovery.FieldError].
func (w ReportedWeights) Validate() error {
	switch {
	case w.WeightExpirationPeriod < 0:
		return &discovery.FieldError{Field: "WeightExpirationPeriod", Value: w.WeightExpirationPeriod, Allowed: "0 (meaning 3m0s) or more"}
	case !(math.Abs(w.ErrorUtilizationPenalty) <= math.MaxFloat32):
		return &discovery.FieldError{Field: "ErrorUtilizationPenalty", Value: w.ErrorUtilizationPenalty, Allowed: "0 (meaning 1) or more, or less than 0 for none"}
	}
	return nil
}

func (w ReportedWeights) withDefaults() ReportedWeights {
	w.BlackoutPeriod = max(0, cmp.Or(w.BlackoutPeriod, 10*time.Second))
	w.WeightExpirationPeriod = cmp.Or(w.WeightExpirationPeriod, 3*time.Minute)
	w.ErrorUtilizationPenalty = max(0, cmp.Or(w.ErrorUtilizationPenalty, 1))
	return w
}

// of returns the weight of a node, a positive finite number; it is 0, and ok is
// false, while there is none that can be used. It makes the node listen to reports. w must
// have its defaults.
func (w *ReportedWeights) of(n *Node, now time.Duration) (weight float32, ok bool) {
	r := n.listen()
	since := r.since.Load()
	if now-time.Duration(r.weighed.Load()) >= w.WeightExpirationPeriod {
		// The next report begins another blackout. If it comes just now, it may
		// count as one of before.
		r.since.CompareAndSwap(since, unsaid)
		return 0, false
	}
	if since == unsaid || now-time.Duration(since) < w.BlackoutPeriod {
		return 0, false
	}
	rates := r.rates.Load()
	utilization, qps, eps := numberOf(uint32(rates>>32)), numberOf(uint32(rates)), numberOf(r.eps.Load())
	weight = float32(qps / (utilization + eps/qps*w.ErrorUtilizationPenalty))
	if !(weight > 0 && weight <= math.MaxFloat32) {
		return 0, false
	}
	return weight, true
}
