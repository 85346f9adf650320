package rule

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/internal/document"
	"github.com/fairlead-go/fairlead/retry"
)

// Retries bound what is tried again.
type Retries struct {
	// MaxAttempts counts all tries of a call, the first among them: 1 is no
	// retry. 0: what code said.
	MaxAttempts int `json:"maxAttempts,omitempty"`
	// PerTryTimeout bounds each attempt, within the time of the call. 0: what code
	// said.
	PerTryTimeout Duration `json:"perTryTimeout,omitzero"`
	// RetryOn is after what another attempt is made, and nothing else: the names
	// "connect-failure", "reset", "timeout", "overload" and "server-failure", which
	// are those of package retry; HTTP statuses from "400" to "599"; names of gRPC
	// codes, such as "UNAVAILABLE". What a server may have executed is tried again
	// only where the call is idempotent. Absent: what code said.
	RetryOn []string `json:"retryOn,omitempty"`
	// Backoff is how the waits between attempts grow.
	Backoff Backoff `json:"backoff,omitzero"`
	Budget  Budget  `json:"budget,omitzero"`
}

// RouteRetries is what a route may say of retries, see [Retries].
type RouteRetries struct {
	MaxAttempts   int      `json:"maxAttempts,omitempty"`
	PerTryTimeout Duration `json:"perTryTimeout,omitzero"`
	RetryOn       []string `json:"retryOn,omitempty"`
	Backoff       Backoff  `json:"backoff,omitzero"`
}

// Backoff is how the waits before attempts grow, in Envoy's words. Its fields hold
// together: where a route says one, none is that of the service.
type Backoff struct {
	BaseInterval Duration `json:"baseInterval,omitzero"` // 0: 25 ms
	MaxInterval  Duration `json:"maxInterval,omitzero"`  // 0: ten times the base
}

// Budget bounds the retries of all calls together.
type Budget struct {
	// Ratio is how many retries there may be to 100 calls, such as 20%.
	Ratio Percent `json:"ratio,omitzero"`
	// MinPerSecond is how many there may be however few calls there are.
	MinPerSecond int `json:"minPerSecond,omitempty"`
}

// RetryTable is [Retries] ready for use. The zero value says nothing.
type RetryTable struct {
	MaxAttempts    int           // 0: nothing is said
	AttemptTimeout time.Duration // 0: nothing is said
	// Said is whether On and Codes, as package retry has them, take the place of
	// what code said.
	Said  bool
	On    retry.Condition
	Codes []int
	// Backoff is the zero value where nothing is said.
	Backoff retry.BackoffConfig
}

// retryable reads one item of RetryOn: a condition, or a code.
func retryable(text string) (is retry.Condition, code int, ok bool) {
	if is, ok = retry.ParseCondition(text); ok {
		return is, 0, true
	}
	if code := grpcCode(text); code != 0 {
		return 0, code, true
	}
	code, ok = httpStatus(text, 400)
	return 0, code, ok
}

func (r RouteRetries) table() RetryTable {
	t := RetryTable{
		MaxAttempts: r.MaxAttempts, AttemptTimeout: time.Duration(r.PerTryTimeout), Said: r.RetryOn != nil,
		Backoff: retry.BackoffConfig{BaseInterval: time.Duration(r.Backoff.BaseInterval), MaxInterval: time.Duration(r.Backoff.MaxInterval)},
	}
	for _, text := range r.RetryOn {
		is, code, _ := retryable(text) // validated
		t.On |= is
		if code != 0 {
			t.Codes = append(t.Codes, code)
		}
	}
	return t
}

func (d *decoder) retries(n *document.Node, r *Retries) {
	d.object(n, r, func(name string, v *document.Node) bool {
		if name == "budget" {
			d.object(v, &r.Budget, func(name string, v *document.Node) bool {
				switch name {
				case "ratio":
					d.percent(v, &r.Budget.Ratio)
				case "minPerSecond":
					d.int(v, &r.Budget.MinPerSecond)
				default:
					return false
				}
				return true
			})
			return true
		}
		return d.tries(name, v, &r.MaxAttempts, &r.PerTryTimeout, &r.RetryOn, &r.Backoff)
	})
}

func (d *decoder) routeRetries(n *document.Node, r *RouteRetries) {
	d.object(n, r, func(name string, v *document.Node) bool {
		return d.tries(name, v, &r.MaxAttempts, &r.PerTryTimeout, &r.RetryOn, &r.Backoff)
	})
}

// tries reads what a service and a route may say.
func (d *decoder) tries(name string, v *document.Node, most *int, timeout *Duration, on *[]string, b *Backoff) bool {
	switch name {
	case "maxAttempts":
		d.int(v, most)
	case "perTryTimeout":
		d.duration(v, timeout)
	case "retryOn":
		each(d, v, on, (*decoder).text)
	case "backoff":
		d.object(v, b, func(name string, v *document.Node) bool {
			switch name {
			case "baseInterval":
				d.duration(v, &b.BaseInterval)
			case "maxInterval":
				d.duration(v, &b.MaxInterval)
			default:
				return false
			}
			return true
		})
	default:
		return false
	}
	return true
}

func (c *checker) retries(r *RouteRetries) {
	c.attempts(r.MaxAttempts)
	c.timeout("perTryTimeout", r.PerTryTimeout)
	if r.RetryOn != nil {
		c.codes("retryOn", r.RetryOn, func(text string) bool { _, _, ok := retryable(text); return ok },
			`connect-failure, reset, timeout, overload, server-failure, HTTP statuses from "400" to "599"`)
	}
	c.backoff(r.Backoff)
}

func (c *checker) attempts(n int) {
	if n < 0 || n > MaxAttempts {
		c.badField("maxAttempts", strconv.Itoa(n), fmt.Sprintf("allowed is 0 (what code said) to %d, the first attempt among them", MaxAttempts))
	}
}

func (c *checker) backoff(b Backoff) {
	if b == (Backoff{}) {
		return
	}
	c.field("backoff")
	if b.BaseInterval != 0 {
		c.between("baseInterval", b.BaseInterval, MinTimeout, MaxBackoff)
	}
	base := b.BaseInterval
	if base == 0 {
		base = Duration(defaultBase)
	}
	switch {
	case b.MaxInterval == 0:
	case b.MaxInterval < base && base <= Duration(MaxBackoff):
		c.badField("maxInterval", b.MaxInterval.String(), "allowed is no less than baseInterval, which is "+base.String())
	default:
		c.between("maxInterval", b.MaxInterval, MinTimeout, MaxBackoff)
	}
	c.back()
}

// defaultBase is that of [retry.BackoffConfig].
const defaultBase = 25 * time.Millisecond

func (c *checker) budget(b Budget) {
	c.field("budget")
	if n := b.MinPerSecond; n < 0 || n > 10_000 {
		c.badField("minPerSecond", strconv.Itoa(n), "allowed is 0 (what code said) to 10000")
	}
	if r := b.Ratio; r < 0 || r > 100_00 {
		c.badField("ratio", r.String(), "allowed is 0% (what code said) to 100%")
	}
	c.back()
}
