package transport_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/fairlead-go/fairlead/transport"
)

// ends is a tracer whose spans tell what they say of instances until they end.
type ends struct {
	tracenoop.TracerProvider
	instances []string
	again     int // ends of what had ended
}

func (e *ends) Tracer(string, ...trace.TracerOption) trace.Tracer { return endTracer{of: e} }

type endTracer struct {
	tracenoop.Tracer
	of *ends
}

func (e endTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, &endingSpan{of: e.of}
}

type endingSpan struct {
	tracenoop.Span
	of    *ends
	ended bool
}

func (s *endingSpan) IsRecording() bool { return true }

func (s *endingSpan) SetAttributes(all ...attribute.KeyValue) {
	for _, a := range all {
		if a.Key == "instance" && !s.ended {
			s.of.instances = append(s.of.instances, a.Value.AsString())
		}
	}
}

func (s *endingSpan) End(...trace.SpanEndOption) {
	if s.ended {
		s.of.again++
	}
	s.ended = true
}

// gRPC picks again by itself, within one attempt of ours, where a server surely has
// not processed the first. The trace has to name who has.
func TestEachPickOfAnAttemptHasItsSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(ends)
		m := newMesh(t, orders("a", "b"), inTurn(), transport.WithTelemetry(transport.Full), transport.WithTracerProvider(e))
		err := m.Do(t.Context(), get(), tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
			first, err := m.Acquire(ctx, call, nil)
			if err != nil {
				t.Fatal(err)
			}
			first.Done(transport.Outcome{Class: transport.Neutral})
			second, err := m.Acquire(ctx, call, nil)
			if err != nil {
				t.Fatal(err)
			}
			o := transport.Outcome{Class: transport.Success, Sent: true, Answered: true}
			second.Done(o)
			return o
		}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(e.instances, []string{"a", "b"}) || e.again != 0 {
			t.Errorf("spans name %v, and %d ended twice; want a and b, and none", e.instances, e.again)
		}
	})
}
