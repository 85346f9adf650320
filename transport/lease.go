package transport

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
)

// Lease is one attempt on its way to an instance. It is a value.
type Lease struct {
	service *service
	ticket  balancer.Ticket
	span    trace.Span // nil below level Full
}

// Node returns the instance that was picked.
func (l Lease) Node() *balancer.Node { return l.ticket.Node() }

// Done ends the attempt: for HTTP when the body ends, for gRPC when the stream
// does. It must be called exactly once.
func (l Lease) Done(o Outcome) {
	now := balancer.Now()
	if o.Class == Timeout {
		o.Late = l.service.lately(now, o.Late)
	}
	l.ticket.Done(now, o.result())
	l.service.counts.add(uint64(now), o.Class)
	if o.Class == Timeout && o.Late {
		l.service.counts.one(&l.service.counts.late)
	}
	if l.span != nil {
		endAttempt(l.span, l.Node(), o)
	}
}
