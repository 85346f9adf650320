package rule

import (
	"cmp"
	"reflect"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// terms are what a service or a route may say of how its calls are tried.
type terms struct {
	timeout        Duration
	idempotent     *bool
	retries        RouteRetries
	hedge          *Hedge
	faultTolerance string
	onFailure      *OnFailure
	priority       string
}

func (s *Spec) terms() terms {
	r := &s.Retries
	return terms{s.Timeout, s.Idempotent, RouteRetries{r.MaxAttempts, r.PerTryTimeout, r.RetryOn, r.Backoff}, s.Hedge, s.FaultTolerance, s.OnFailure, s.Priority}
}

func (r *Route) terms() terms {
	return terms{r.Timeout, r.Idempotent, r.Retries, r.Hedge, r.FaultTolerance, r.OnFailure, r.Priority}
}

// over returns what holds where these come before those of all calls.
func (t terms) over(all terms) terms {
	t.timeout = cmp.Or(t.timeout, all.timeout)
	t.idempotent = cmp.Or(t.idempotent, all.idempotent)
	t.retries.MaxAttempts = cmp.Or(t.retries.MaxAttempts, all.retries.MaxAttempts)
	t.retries.PerTryTimeout = cmp.Or(t.retries.PerTryTimeout, all.retries.PerTryTimeout)
	if t.retries.RetryOn == nil {
		t.retries.RetryOn = all.retries.RetryOn
	}
	t.retries.Backoff = cmp.Or(t.retries.Backoff, all.retries.Backoff)
	t.hedge = cmp.Or(t.hedge, all.hedge)
	t.faultTolerance = cmp.Or(t.faultTolerance, all.faultTolerance)
	t.onFailure = cmp.Or(t.onFailure, all.onFailure)
	t.priority = cmp.Or(t.priority, all.priority)
	return t
}

// third reports whether they need the third edition of the form.
func (t terms) third() bool {
	first := terms{timeout: t.timeout, retries: RouteRetries{MaxAttempts: t.retries.MaxAttempts}}
	return !reflect.DeepEqual(t, first)
}

// hedges reports whether calls are hedged: never those that the document does not
// call idempotent.
func (t *terms) hedges() bool {
	return t.hedge != nil && !t.hedge.Off && t.idempotent != nil && *t.idempotent
}

// table returns what is in force.
func (t *terms) table() RouteTable {
	table := RouteTable{
		Timeout: time.Duration(t.timeout), Idempotent: t.idempotent, Retry: t.retries.table(),
		FaultTolerance: FaultTolerance(numberOf(faultTolerances[:], t.faultTolerance)), ToleranceSaid: t.faultTolerance != "",
		OnFailure: t.onFailure,
	}
	table.Priority, table.PrioritySaid = ratelimit.ParsePriority(t.priority)
	if t.hedge != nil {
		table.Hedge = t.hedge.table()
		table.Hedge.Off = !t.hedges()
	}
	table.more = table.Timeout != 0 || table.Retry.AttemptTimeout != 0 || table.Hedge != nil || table.OnFailure != nil || table.FaultTolerance != Failover || table.PrioritySaid
	return table
}

// priorities are the names of those of package ratelimit.
var priorities = [...]string{ratelimit.Sheddable.String(), ratelimit.Default.String(), ratelimit.Critical.String()}

// terms judges what is said here, and whether it goes together with what holds.
func (c *checker) terms(said, all terms) {
	holds := said.over(all)
	c.timeout("timeout", said.timeout)
	c.field("retries")
	c.retries(&said.retries)
	if said.faultTolerance == Failfast.String() && said.retries.MaxAttempts > 1 {
		c.badField("maxAttempts", strconv.Itoa(said.retries.MaxAttempts), "allowed is 1 beside faultTolerance failfast")
	}
	c.back()
	c.perTryTimeout(said, holds)
	if h := said.hedge; h != nil {
		c.hedge(h)
		if !h.Off && !holds.hedges() {
			c.badField("hedge", "", "allowed only beside idempotent: true")
		}
	}
	c.oneOf("faultTolerance", said.faultTolerance, faultTolerances[:]...)
	if holds.faultTolerance == Broadcast.String() && holds.hedges() {
		switch {
		case said.faultTolerance != "":
			c.badField("faultTolerance", quote(said.faultTolerance), "not allowed where calls are hedged")
		case said.hedge != nil:
			c.badField("hedge", "", "not allowed beside faultTolerance broadcast")
		}
	}
	if said.onFailure != nil {
		c.onFailure(said.onFailure)
	}
	c.oneOf("priority", said.priority, priorities[:]...)
}

// perTryTimeout judges whether an attempt may take longer than its call, where
// one of the two is said.
func (c *checker) perTryTimeout(said, holds terms) {
	attempt, call := holds.retries.PerTryTimeout, holds.timeout
	switch {
	case attempt <= 0 || call <= 0 || attempt <= call:
	case said.retries.PerTryTimeout != 0:
		c.field("retries")
		c.badField("perTryTimeout", attempt.String(), "allowed is no more than the timeout of the call, which is "+call.String())
		c.back()
	case said.timeout != 0:
		c.badField("timeout", call.String(), "allowed is no less than the perTryTimeout, which is "+attempt.String())
	}
}
