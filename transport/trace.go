package transport

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/deadline"
)

// doTraced is the attempt loop inside a span, at level Full.
func (m *Mesh) doTraced(ctx context.Context, call *Call, attempt Attempt) error {
	with, span := m.meter.tracer.Start(ctx, "fairlead.call", call.service.spans...)
	defer span.End()
	ctx = deadline.Unhidden(with, ctx)
	if !span.IsRecording() {
		call.traced = false // nor would the spans of its attempts be seen by anybody
		return m.attempts(ctx, call, attempt)
	}
	span.SetAttributes(attribute.String("method", call.Method))
	err := m.attempts(ctx, call, attempt)
	span.SetAttributes(attribute.Int("attempts", call.picks))
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}

// try makes one attempt. At level Full it gets a span, which the lease takes over
// with the pick and ends when the attempt does.
func (m *Mesh) try(ctx context.Context, call *Call, attempt Attempt) Outcome {
	if !call.traced {
		return attempt.Try(ctx, call)
	}
	with, span := m.meter.tracer.Start(ctx, "fairlead.attempt", trace.WithAttributes(
		serviceKey.String(call.Service), attribute.Int("attempt", call.tries)))
	before := call.picks
	call.span = span
	outcome := attempt.Try(deadline.Unhidden(with, ctx), call)
	call.span = nil
	if call.picks == before { // no lease took the span
		span.SetStatus(codes.Error, "no instance was picked")
		span.End()
	}
	return outcome
}

// spanOf hands the span of an attempt to its lease. A door's own library may pick
// again within the attempt, and then there is another.
func (m *Mesh) spanOf(ctx context.Context, call *Call) trace.Span {
	span := call.span
	if span == nil {
		_, span = m.meter.tracer.Start(ctx, "fairlead.attempt", trace.WithAttributes(
			serviceKey.String(call.Service), attribute.Int("attempt", call.tries)))
	}
	call.span = nil
	return span
}

// endAttempt closes the span of an attempt. The instance is named on spans
// only: as a metric attribute it would be unbounded.
func endAttempt(span trace.Span, n *balancer.Node, o Outcome) {
	span.SetAttributes(
		attribute.String("instance", n.ID()),
		attribute.String("network.peer.address", n.Instance().Addr),
		outcomeKey.String(o.Class.String()))
	if o.Err != nil {
		span.SetStatus(codes.Error, o.Err.Error())
	}
	span.End()
}
