package transport

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/baggage"
)

// What follows is for doors: the W3C baggage of a call, whose context carries
// it in the way of OpenTelemetry.

// BaggageOf returns an entry of the baggage that ctx carries, as rules see it.
func BaggageOf(ctx context.Context, name string) (value string, ok bool) {
	m := baggage.FromContext(ctx).Member(name)
	return m.Value(), m.Key() != ""
}

// BaggageHeader returns the baggage that ctx carries as a header says it, ""
// if there is none.
func BaggageHeader(ctx context.Context) string {
	b := baggage.FromContext(ctx)
	if b.Len() == 0 {
		return ""
	}
	return b.String()
}

// WithBaggage returns a context that carries what headers said, in place of what
// ctx carries. What is malformed as a whole is passed over.
func WithBaggage(ctx context.Context, headers ...string) context.Context {
	b, err := baggage.Parse(strings.Join(headers, ","))
	if err != nil && b.Len() == 0 {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, b)
}
