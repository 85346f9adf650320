package transport

import (
	"fmt"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// codeLimits are the limits that code sets. Each is for every service by itself.
type codeLimits struct {
	rates       []rule.LimitTable
	concurrency []rule.ConcurrencyTable
	throttle    *ratelimit.ThrottleConfig
}

// codeLimit is how the name of a limit begins that code set, and of which rules say
// nothing.
const codeLimit = "code"

// WithRateLimit bounds how many calls this process sends to each service. What is
// beyond is refused with ratelimit.ErrRate. The default is not to. Rules may say
// otherwise, and tell calls apart.
func WithRateLimit(c ratelimit.RateConfig) Option {
	return func(o *options) {
		o.limits.rates = []rule.LimitTable{{Counting: rule.Counting{Name: codeLimit, Per: rule.PerService}, Config: c}}
	}
}

// WithConcurrency bounds how many calls this process has in flight: as per says, to
// each service, [rule.PerService], each of its methods, [rule.PerMethod], each of its
// instances, [rule.PerInstance], or of each priority, [rule.PerClass]. It may be given
// for several of them. What is beyond is refused with ratelimit.ErrConcurrency; an
// instance at its limit is passed over, and a call is refused where all are. The
// default is not to. Rules may say otherwise.
func WithConcurrency(per rule.Scope, c ratelimit.ConcurrencyConfig) Option {
	return func(o *options) {
		name := codeLimit
		if isConcurrencyScope(per) {
			name += " per " + per.String()
		}
		if a := c.Adaptive; a != nil && per == rule.PerInstance {
			c.Adaptive = new(a.AtClient())
		}
		o.limits.concurrency = append(o.limits.concurrency, rule.ConcurrencyTable{Counting: rule.Counting{Name: name, Per: per}, Config: c})
	}
}

func isConcurrencyScope(per rule.Scope) bool {
	return per == rule.PerService || per == rule.PerMethod || per == rule.PerClass || per == rule.PerInstance
}

// WithThrottle does not send some of the calls while a service refuses many, see
// [ratelimit.Throttle]: they fail with ratelimit.ErrThrottled. The default is to send
// all. Rules may say otherwise.
func WithThrottle(c ratelimit.ThrottleConfig) Option {
	return func(o *options) { o.limits.throttle = &c }
}

func (l *codeLimits) validate() (errs []error) {
	for _, r := range l.rates {
		if err := r.Config.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("WithRateLimit: %w", err))
		}
	}
	seen := map[rule.Scope]bool{}
	for _, c := range l.concurrency {
		if err := c.Config.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("WithConcurrency: %w", err))
		}
		switch per := c.Per; {
		case !isConcurrencyScope(per):
			errs = append(errs, fmt.Errorf("WithConcurrency: per is %v: allowed is rule.PerService, PerMethod, PerClass or PerInstance", uint8(per)))
		case seen[per]:
			errs = append(errs, fmt.Errorf("WithConcurrency: per %v is given twice: allowed is once", per))
		case per == rule.PerInstance && c.Config.MaxWait != 0:
			errs = append(errs, fmt.Errorf("WithConcurrency: MaxWait is %v: allowed is 0 beside rule.PerInstance, where a call goes to another one", c.Config.MaxWait))
		default:
			seen[per] = true
		}
	}
	if l.throttle != nil {
		if err := l.throttle.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("WithThrottle: %w", err))
		}
	}
	return errs
}

// limitsOf returns the limits of a service under a table, which may be nil, in the
// place of others.
func (o *options) limitsOf(table *rule.Table, view *balancer.View, before *limits, shared func(rule.LimitTable) *ratelimit.Bucket) *limits {
	is := o.limits
	if table != nil {
		if table.Limits != nil {
			is.rates = table.Limits
		}
		if table.Concurrency != nil {
			is.concurrency = table.Concurrency
		}
		if t := table.Throttle; t != nil {
			if is.throttle = &t.Config; t.Off {
				is.throttle = nil
			}
		}
	}
	return newLimits(is, view, before, shared)
}
