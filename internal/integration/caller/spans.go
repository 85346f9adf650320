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
// their context. Spans of anything but attempts are nothing.
type tracers struct{ embedded.TracerProvider }

func (tracers) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{} }

type tracer struct{ embedded.Tracer }

func (tracer) Start(ctx context.Context, name string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	c, ok := ctx.Value(callKey{}).(recorded)
	if !ok || name != "fairlead.attempt" {
		return ctx, noop.Span{}
	}
	c.listed()
	c.Attempts = append(c.Attempts, history.Attempt{Start: c.by.now()})
	return ctx, &attempt{of: c, n: len(c.Attempts) - 1}
}

// attempt is the span of an attempt.
type attempt struct {
	noop.Span
	of recorded
	n  int // of the attempt in its call
}

// SetAttributes learns where the attempt went and how it ended.
func (a *attempt) SetAttributes(all ...attribute.KeyValue) {
	is := &a.of.Attempts[a.n]
	for _, kv := range all {
		switch kv.Key {
		case "instance":
			is.Instance = kv.Value.AsString()
		case "outcome":
			is.Outcome = kv.Value.AsString()
		}
	}
}

// End implements trace.Span. An attempt for which nobody was picked is none.
func (a *attempt) End(...trace.SpanEndOption) {
	is := &a.of.Attempts[a.n]
	if is.Instance == "" {
		a.of.Attempts = a.of.Attempts[:a.n]
		return
	}
	is.Ends++
	is.End, is.List = a.of.by.now(), a.of.list
}
