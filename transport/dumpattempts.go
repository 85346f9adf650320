package transport

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
)

// AttemptsDump is what became of calls whose attempts were slow or failed.
type AttemptsDump struct {
	// Hedges counts the second attempts that were sent, HedgesWon those that had the
	// answer, and Unhedged those that were due and not sent.
	Hedges    int64 `json:"hedges,omitempty"`
	HedgesWon int64 `json:"hedgesWon,omitempty"`
	Unhedged  int64 `json:"unhedged,omitempty"`
	// Hopeless counts the calls that were not sent because they had less time left
	// than their method took of late at the least.
	Hopeless int64 `json:"hopeless,omitempty"`
	// FellBack counts the calls that got something else than the service's answer,
	// Unanswerable those that were to, and could not.
	FellBack     int64 `json:"fellBack,omitempty"`
	Unanswerable int64 `json:"unanswerable,omitempty"`
	// SharedBudgetRefused counts the retries that the budget of all services
	// together refused.
	SharedBudgetRefused int64 `json:"sharedBudgetRefused,omitempty"`
	// Methods are those of which something is kept, at most a thousand. Unknown counts
	// how often others were asked for, which have no breaker of their own, no second
	// attempts and no least time.
	Methods []MethodDump `json:"methods,omitempty"`
	Unknown int64        `json:"unknown,omitempty"`
	// Breakers is nil where there are none.
	Breakers *BreakersDump `json:"breakers,omitempty"`
}

// MethodDump is how long the calls of a method take, as far as somebody wants to
// know.
type MethodDump struct {
	Route  string `json:"route,omitempty"`
	Method string `json:"method"`
	// Least is what they took of late at the least, HedgeDelay how long one takes
	// before it is sent a second time; 0: not known.
	Least      time.Duration `json:"leastNs,omitempty"`
	HedgeDelay time.Duration `json:"hedgeDelayNs,omitempty"`
}

// BreakersDump are the circuit breakers of a service.
type BreakersDump struct {
	Scope  string           `json:"scope"`
	Mode   breaker.Mode     `json:"mode"`
	States map[string]int64 `json:"states"` // how many there are in each
	// Rejected counts the attempts that they rejected, WouldReject those that they
	// would have in another mode, and Overruled those that went to an instance
	// although its breaker is open, because several are.
	Rejected    int64 `json:"rejected,omitempty"`
	WouldReject int64 `json:"wouldReject,omitempty"`
	Overruled   int64 `json:"overruled,omitempty"`
	// Unwell are those that are not closed, or were ever open.
	Unwell []BreakerDump `json:"unwell,omitempty"`
}

// BreakerDump is one circuit breaker.
type BreakerDump struct {
	Name   string         `json:"name"`
	State  breaker.State  `json:"state"`
	Counts breaker.Counts `json:"counts"`
	Totals breaker.Totals `json:"totals"`
}

func (s *service) dumpAttempts() AttemptsDump {
	c, now := &s.counts, balancer.Now()
	d := AttemptsDump{
		Hedges: c.hedges.Load(), HedgesWon: c.hedgesWon.Load(), Unhedged: c.unhedged.Load(), Hopeless: c.hopeless.Load(),
		FellBack: c.fellBack.Load(), Unanswerable: c.unanswerable.Load(), SharedBudgetRefused: c.unaffordableByAll.Load(), Unknown: c.unknown.Load(),
	}
	for key, m := range s.methods.all() {
		one := MethodDump{Route: key.routeKey.String(), Method: key.method}
		if least, known := m.least.Least(now); known {
			one.Least = least
		}
		if m.hedge != nil {
			one.HedgeDelay, _ = m.hedge.Delay(now, m.latencies)
		}
		d.Methods = append(d.Methods, one)
	}
	slices.SortFunc(d.Methods, func(a, b MethodDump) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Method, b.Method))
	})
	if b := s.course.Load().plans.of(nil).breakers; b != nil {
		d.Breakers = b.dump(c)
	}
	return d
}

func (b *breakers) dump(c *counts) *BreakersDump {
	b.mu.Lock()
	mode := b.mode
	b.mu.Unlock()
	d := &BreakersDump{Scope: b.is.Scope.String(), Mode: mode, States: map[string]int64{}, Overruled: c.overruled.Load()}
	for one := range b.all() {
		t := one.Totals()
		d.States[one.State().String()]++
		d.Rejected += t.Rejected
		d.WouldReject += t.WouldReject
		if one.State() != breaker.Closed || t.Opened > 0 {
			d.Unwell = append(d.Unwell, BreakerDump{one.Name(), one.State(), one.Counts(), t})
		}
	}
	slices.SortFunc(d.Unwell, func(a, b BreakerDump) int { return cmp.Compare(a.Name, b.Name) })
	return d
}
