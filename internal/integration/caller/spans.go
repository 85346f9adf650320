package caller

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// tracers is a tracer provider whose spans write themselves into the call of
// their context. Spans of anything but attempts say that they are recorded, or there
// would be none of the attempts, and are nothing.
type tracers struct{ embedded.TracerProvider }

func (tracers) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{} }

type tracer struct{ embedded.Tracer }

func (tracer) Start(ctx context.Context, name string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	c, ok := ctx.Value(callKey{}).(recorded)
	if !ok || name != "fairlead.attempt" {
		return ctx, sampled{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &attempt{of: c, is: history.Attempt{Start: c.by.now(), List: int(c.by.lists.Load())}}
	c.spans = append(c.spans, a)
	c.open++
	return ctx, a
}

// attempt is the span of an attempt.
type attempt struct {
	sampled
	of recorded
	is history.Attempt // guarded by the call's lock
}

// sampled is a span that is not noted.
type sampled struct{ noop.Span }

func (sampled) IsRecording() bool { return true }

// SetAttributes learns where the attempt went and how it ended.
func (a *attempt) SetAttributes(all ...attribute.KeyValue) {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	for _, kv := range all {
		switch kv.Key {
		case "instance":
			a.is.Instance = kv.Value.AsString()
		case "outcome":
			a.is.Outcome = kv.Value.AsString()
		}
	}
}

// End implements trace.Span.
func (a *attempt) End(...trace.SpanEndOption) {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	a.is.End = a.of.by.now()
	if a.is.Ends++; a.is.Ends == 1 {
		a.of.open--
		a.of.by.writeLocked(a.of.call)
	}
}
