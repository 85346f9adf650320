package rule

import (
	"time"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/internal/document"
)

// CircuitBreaker says when calls are rejected because those before them failed,
// see [breaker.Config]. That it is there turns it on, also where code has none.
// What is not said is the default.
type CircuitBreaker struct {
	// Mode is "on", "off", "open", which rejects all calls, or "observe", which
	// rejects none and only says what it would do. Empty: "on".
	Mode string `json:"mode,omitempty"`
	// Scope is what has a breaker of its own: "instance", "method", or "service".
	// Empty: "instance".
	Scope string `json:"scope,omitempty"`
	// Window is the time over which calls are counted. 0: 10 s.
	Window Duration `json:"window,omitzero"`
	// MinRequests is how many calls there must be in it for a rate to count. 0: 20.
	MinRequests int `json:"minRequests,omitempty"`
	// FailureRate is the share of failures that opens it, above 0%. Absent: 50%.
	FailureRate Percent `json:"failureRate,omitzero"`
	// ConsecutiveFailures is how many failures in a row open it. 0: any number is
	// left to the rates.
	ConsecutiveFailures int `json:"consecutiveFailures,omitempty"`
	// SlowCallDuration is from when on a call is slow. 0: none is.
	SlowCallDuration Duration `json:"slowCallDuration,omitzero"`
	// SlowCallRate is the share of slow calls that opens it, above 0%. Absent: 100%.
	SlowCallRate Percent `json:"slowCallRate,omitzero"`
	// OpenFor is how long it rejects all calls. 0: 3 s.
	OpenFor Duration `json:"openFor,omitzero"`
	// HalfOpenRequests is how many calls find out then, and must succeed in a row
	// for it to close. 0: 1.
	HalfOpenRequests int `json:"halfOpenRequests,omitempty"`
	// ProbeTimeout is how long one of those may take before another gets its place.
	// 0: 1 s.
	ProbeTimeout Duration `json:"probeTimeout,omitzero"`
}

var (
	breakerModes  = [...]string{breaker.Automatic: "on", breaker.Disabled: "off", breaker.ForcedOpen: "open", breaker.ObserveOnly: "observe"}
	breakerScopes = scopes[:PerService+1]
)

// BreakerTable is a [CircuitBreaker] ready for use. Zero fields of the
// configuration mean the default of package breaker. Two that are equal mean the
// same.
type BreakerTable struct {
	Mode   breaker.Mode
	Scope  Scope
	Config breaker.Config
}

func (b *CircuitBreaker) table() *BreakerTable {
	return &BreakerTable{
		Mode: breaker.Mode(numberOf(breakerModes[:], b.Mode)), Scope: Scope(numberOf(breakerScopes, b.Scope)),
		Config: breaker.Config{
			Window: time.Duration(b.Window), MinRequests: b.MinRequests, FailureRate: b.FailureRate.Of(), ConsecutiveFailures: b.ConsecutiveFailures,
			SlowCallDuration: time.Duration(b.SlowCallDuration), SlowCallRate: b.SlowCallRate.Of(),
			OpenFor: time.Duration(b.OpenFor), HalfOpenRequests: b.HalfOpenRequests, ProbeTimeout: time.Duration(b.ProbeTimeout),
		},
	}
}

func (d *decoder) circuitBreaker(n *document.Node, b *CircuitBreaker) {
	d.object(n, b, func(name string, v *document.Node) bool {
		switch name {
		case "mode":
			d.text(v, &b.Mode)
		case "scope":
			d.text(v, &b.Scope)
		case "window":
			d.duration(v, &b.Window)
		case "minRequests":
			d.int(v, &b.MinRequests)
		case "failureRate":
			d.share(v, &b.FailureRate)
		case "consecutiveFailures":
			d.int(v, &b.ConsecutiveFailures)
		case "slowCallDuration":
			d.duration(v, &b.SlowCallDuration)
		case "slowCallRate":
			d.share(v, &b.SlowCallRate)
		case "openFor":
			d.duration(v, &b.OpenFor)
		case "halfOpenRequests":
			d.int(v, &b.HalfOpenRequests)
		case "probeTimeout":
			d.duration(v, &b.ProbeTimeout)
		default:
			return false
		}
		return true
	})
}

// mostHalfOpen is that of package breaker.
const mostHalfOpen = 1000

func (c *checker) circuitBreaker(b *CircuitBreaker) {
	c.field("circuitBreaker")
	c.oneOf("mode", b.Mode, breakerModes[:]...)
	c.oneOf("scope", b.Scope, breakerScopes...)
	if b.Window != 0 {
		c.between("window", b.Window, MinInterval, MaxTimeout)
	}
	c.whole("minRequests", b.MinRequests, 0, mostCalls)
	c.ratio("failureRate", b.FailureRate)
	c.whole("consecutiveFailures", b.ConsecutiveFailures, 0, mostCalls)
	c.timeout("slowCallDuration", b.SlowCallDuration)
	c.ratio("slowCallRate", b.SlowCallRate)
	if b.SlowCallRate != 0 && b.SlowCallDuration == 0 {
		c.badField("slowCallRate", b.SlowCallRate.String(), "allowed only beside a slowCallDuration")
	}
	c.timeout("openFor", b.OpenFor)
	c.whole("halfOpenRequests", b.HalfOpenRequests, 0, mostHalfOpen)
	c.timeout("probeTimeout", b.ProbeTimeout)
	c.back()
}
