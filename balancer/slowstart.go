package balancer

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// SlowStart lets the load of an instance that has just started, or is back from
// an ejection, grow with time: its weight is multiplied by
//
//	max(MinWeightPercent ÷ 100, (age ÷ Window)^(1 ÷ Aggression))
//
// as in Envoy. Age counts from when the instance was first seen, or, for those
// on a pool's first list, from when they say they started. With a Window of ten
// minutes and 1 percent it is Dubbo's warm-up. Policies that give each key a
// place take no notice. The zero value is the default.
type SlowStart struct {
	// Off gives every instance its whole weight at once.
	Off bool
	// Window is how long it takes; 0 means 10 s: that is how long the default
	// policy remembers, and caches and connections of most servers are warm by
	// then.
	Window time.Duration
	// Aggression above 1 makes the weight grow faster at first; 0 means 1, which
	// is evenly.
	Aggression float64
	// MinWeightPercent is what it begins with; 0 means 10.
	MinWeightPercent int
}

// Validate reports a bad field as a [*discovery.FieldError].
func (s SlowStart) Validate() error {
	switch {
	case s.Window < 0:
		return &discovery.FieldError{Field: "SlowStart.Window", Value: s.Window, Allowed: "0 (meaning 10s) or more"}
	case !(s.Aggression >= 0 && s.Aggression <= math.MaxFloat32):
		return &discovery.FieldError{Field: "SlowStart.Aggression", Value: s.Aggression, Allowed: "0 (meaning 1) or more"}
	case s.MinWeightPercent < 0 || s.MinWeightPercent > 100:
		return &discovery.FieldError{Field: "SlowStart.MinWeightPercent", Value: s.MinWeightPercent, Allowed: "0 (meaning 10) to 100"}
	}
	return nil
}

func (s SlowStart) withDefaults() SlowStart {
	s.Window = cmp.Or(s.Window, 10*time.Second)
	s.Aggression = cmp.Or(s.Aggression, 1)
	s.MinWeightPercent = cmp.Or(s.MinWeightPercent, 10)
	return s
}

// share is what an instance of that age has of its weight.
func (s *SlowStart) share(age time.Duration) float32 {
	if s.Off || age >= s.Window {
		return 1
	}
	reached := math.Pow(max(0, float64(age))/float64(s.Window), 1/s.Aggression)
	return float32(min(1, max(float64(s.MinWeightPercent)/100, reached)))
}

// nursery is the nodes whose weight grows, under the pool's lock.
type nursery struct {
	SlowStart
	young []*Node
}

// admit lets the weight of a node grow that is so old.
func (y *nursery) admit(n *Node, age, now time.Duration) {
	n.born = now - age
	share := y.share(age)
	n.weigh(share)
	if share < 1 && !n.young {
		n.young = true
		y.young = append(y.young, n)
	}
}

// weigh gives a node its weight as of now, of which it announces a new one.
func (y *nursery) weigh(n *Node, now time.Duration) { n.weigh(y.share(now - n.born)) }

// review gives all their weight as of now.
func (y *nursery) review(now time.Duration) {
	y.young = slices.DeleteFunc(y.young, func(n *Node) bool {
		y.weigh(n, now)
		n.young = n.standing < missed && now-n.born < y.Window && !y.Off
		return !n.young
	})
}

// grown is an age beyond all windows, which can be reckoned with.
const grown = time.Duration(1) << 60

// ageOf is how old an instance says it is, as far as it can be believed: no
// clock is asked to be right, and one that starts in the future starts now.
func ageOf(i *discovery.Instance, now time.Duration) time.Duration {
	if i.StartedAt.IsZero() {
		return grown
	}
	return min(grown, max(0, now-At(i.StartedAt)))
}
