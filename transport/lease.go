package transport

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Lease is one attempt on its way to an instance. It is a value.
type Lease struct {
	service  *service
	ticket   balancer.Ticket
	breaker  breaker.Ticket // zero: no breaker judges it
	limits   *limits        // nil: none learns of it
	priority ratelimit.Priority
	copied   bool       // nobody hears of its answer
	span     trace.Span // nil below level Full
}

// Node returns the instance that was picked.
func (l Lease) Node() *balancer.Node { return l.ticket.Node() }

// Listens reports whether anybody wants to know the load of the server. A door
// looks for a report in an answer only then.
func (l Lease) Listens() bool { return l.Node().Listens() }

// Report hands on what an answer said of the load of the server, or why that
// could not be read. It comes before Done.
func (l Lease) Report(load balancer.Load, err error) {
	if err != nil || !load.Valid() {
		l.Node().Misreport()
		l.service.counts.one(&l.service.counts.misreported)
		return
	}
	l.Node().Report(balancer.Now(), load)
}

// Done ends the attempt: for HTTP when the body ends, for gRPC when the stream
// does. It must be called exactly once.
func (l Lease) Done(o Outcome) {
	now := balancer.Now()
	if o.Class == Timeout {
		o.Late = l.service.lately(now, o.Late)
	}
	result := o.result()
	age := l.ticket.Age(now)
	l.breaker.DoneAt(verdicts[result], age, balancer.TimeOf(now))
	if l.limits != nil {
		l.limits.learn(&l, now, result, o.Class)
	}
	l.ticket.Done(now, result)
	if l.service.counts.add(uint64(now), o.Class) && age > 0 { // or it was a stream
		l.service.mesh.meter.attempt(l.service, now, age, o.Class)
	}
	if o.Class == Timeout && o.Late {
		l.service.counts.one(&l.service.counts.late)
	}
	if l.span != nil {
		endAttempt(l.span, l.Node(), o)
	}
}

// verdicts are what a breaker makes of how an attempt ended.
var verdicts = [...]breaker.Outcome{
	balancer.Neutral:     breaker.Neutral,
	balancer.Success:     breaker.Success,
	balancer.Failure:     breaker.Failure,
	balancer.Unreachable: breaker.Failure,
	balancer.Untrusted:   breaker.Failure,
	balancer.Refused:     breaker.Neutral, // throttling is for that
}
