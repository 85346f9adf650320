package transport

import (
	"cmp"
	"slices"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
)

// plan is how the calls on a route are made: what the rules say of it, and where
// they say nothing, what code does. It is immutable and lasts as long as the rules
// do.
type plan struct {
	of          routeKey
	retry       retry.Policy
	most        int   // tries
	plain       bool  // nothing is said but where calls go and how often they are tried
	idempotent  *bool // nil: the door says
	tolerance   rule.FaultTolerance
	hedge       *retry.HedgeConfig // nil: no second attempts
	onFailure   *rule.OnFailure    // nil: the caller gets the failure
	breakers    *breakers          // nil: there are none
	outcomes    *rule.Outcomes     // nil: as the door judges
	gateway     *gateway           // nil: calls never go to one
	limits      *limits            // nil: there are none
	priority    ratelimit.Priority
	prioritized bool // something is said of that

	timeout        *callTimeout    // nil: nothing is said
	attemptTimeout *attemptTimeout // nil: nothing is said
}

// plans are those of a service: of the calls on no route first, then those of the
// routes in their order.
type plans []plan

// of returns the plan of the calls on a route, nil being none.
func (p plans) of(route *rule.RouteTable) *plan {
	if route == nil {
		return &p[0]
	}
	return &p[route.Order+1]
}

// plansOf makes the plans of a service from a table, which may be nil.
func (o *options) plansOf(service string, table *rule.Table, b *breakers, l *limits, g *gateway) plans {
	if table == nil {
		return plans{o.planOf(service, &rule.RouteTable{}, nil, b, l, g)}
	}
	all, named := make(plans, 0, 1+len(table.Policy.Spec.Routes)), map[string]int{"": 2}
	for route := range table.Routes() {
		named[route.Name]++
	}
	for route := range table.Routes() {
		p := o.planOf(service, route, table.Outcomes, b, l, g)
		if p.of.name = route.Name; named[route.Name] > 1 {
			p.of.nth = route.Order + 1
		}
		all = append(all, p)
	}
	return all
}

func (o *options) planOf(service string, route *rule.RouteTable, outcomes *rule.Outcomes, b *breakers, l *limits, g *gateway) plan {
	p := plan{
		retry: o.retry, idempotent: route.Idempotent, tolerance: o.tolerance,
		hedge: o.hedge, onFailure: route.OnFailure, breakers: b, outcomes: outcomes,
		limits: l, gateway: g, priority: route.Priority, prioritized: route.PrioritySaid,
	}
	if f := p.onFailure; f != nil && f.Service != "" && !slices.Contains(o.fallbacks, f.Service) {
		p.onFailure = nil // unheeded says so
	}
	if route.ToleranceSaid {
		p.tolerance = route.FaultTolerance
	}
	said := &route.Retry
	p.retry.MaxAttempts = cmp.Or(said.MaxAttempts, p.retry.MaxAttempts)
	p.retry.AttemptTimeout = cmp.Or(said.AttemptTimeout, p.retry.AttemptTimeout)
	if said.Said {
		p.retry.On, p.retry.Codes = said.On, said.Codes
	}
	if said.Backoff != (retry.BackoffConfig{}) {
		p.retry.Backoff = said.Backoff
	}
	p.most = p.retry.Most()
	if h := route.Hedge; h != nil {
		p.hedge = &h.HedgeConfig
		if h.Off {
			p.hedge = nil
		}
	}
	if t := cmp.Or(route.Timeout, o.timeout); t != 0 {
		p.timeout = &callTimeout{service, t, route.Timeout != 0}
	}
	if t := p.retry.AttemptTimeout; t != 0 {
		p.attemptTimeout = &attemptTimeout{service, t}
	}
	p.plain = p.timeout == nil && p.attemptTimeout == nil && p.hedge == nil && p.onFailure == nil && p.tolerance == rule.Failover && route.Mirror == nil && route.Fault == nil && !l.holds()
	return p
}

// repeats reports whether an answer is followed by another attempt for its code
// alone, though it says that the instance works, as ABORTED and 409 do.
func (p *plan) repeats(code int) bool { return slices.Contains(p.retry.Codes, code) }

// imprint tells a call what its plan says of it. What code says of one call comes
// before what rules say of many.
func (p *plan) imprint(call *Call) {
	if p.idempotent != nil && !call.declared && !(call.Stream && *p.idempotent) { // of streams doors know more
		call.idempotent = *p.idempotent && !call.Idempotent
		call.Idempotent = *p.idempotent
	}
	if !call.tolerated {
		call.tolerance = p.tolerance
	}
	if p.prioritized {
		call.prioritize(p.priority)
	}
}
