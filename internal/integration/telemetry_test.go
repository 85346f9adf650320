package integration_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// measured is a mesh at level Full under the real OpenTelemetry SDK, with three
// instances of orders that are called in turn; the first refuses its first
// call.
type measured struct {
	mesh   *transport.Mesh
	fleet  *fairleadtest.Fleet
	reader *metric.ManualReader
	spans  *tracetest.SpanRecorder
	tracer *trace.TracerProvider
}

func newMeasured(t *testing.T) *measured {
	t.Helper()
	m := &measured{
		fleet:  fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b", "c")...),
		reader: metric.NewManualReader(),
		spans:  tracetest.NewSpanRecorder(),
	}
	m.tracer = trace.NewTracerProvider(trace.WithSpanProcessor(m.spans))
	var err error
	if m.mesh, err = transport.New(m.fleet,
		transport.WithLogger(slog.New(slog.DiscardHandler)),
		transport.WithBalancing(balancer.Balancing{ // in turn, in any case
			Policy: new(fairleadtest.Picks), OutlierDetection: balancer.OutlierDetection{Off: true},
		}),
		transport.WithTelemetry(transport.Full),
		transport.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(m.reader))),
		transport.WithTracerProvider(m.tracer),
		transport.WithProtection(balancer.Protection{Off: true}), // who is removed is gone
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.mesh.Close(context.Background()) })
	m.fleet.Play("a", fairleadtest.Refused(), fairleadtest.OK())
	return m
}

func (m *measured) call(ctx context.Context, method string) error {
	return m.mesh.Do(ctx, &transport.Call{Service: "orders", Method: method, Protocol: discovery.HTTP, Idempotent: true}, m.fleet.Door(m.mesh))
}

// collect returns all metrics by name.
func (m *measured) collect(t *testing.T) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := m.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]metricdata.Aggregation{}
	for _, scope := range all.ScopeMetrics {
		if want := "github.com/fairlead-go/fairlead/transport"; scope.Scope.Name != want {
			t.Errorf("scope is %q, want %q", scope.Scope.Name, want)
		}
		for _, metric := range scope.Metrics {
			got[metric.Name] = metric.Data
		}
	}
	return got
}

func sumOf(t *testing.T, data metricdata.Aggregation, attributes ...attribute.KeyValue) int64 {
	t.Helper()
	sum, ok := data.(metricdata.Sum[int64])
	if !ok || !sum.IsMonotonic {
		t.Fatalf("not a counter: %T", data)
	}
	want := attribute.NewSet(attributes...)
	for _, p := range sum.DataPoints {
		if p.Attributes.Equals(&want) {
			return p.Value
		}
	}
	t.Fatalf("no point for %v in %+v", attributes, sum.DataPoints)
	return 0
}

func TestMetricsReachTheSDK(t *testing.T) {
	m := newMeasured(t)
	for range 1000 {
		if err := m.call(t.Context(), "GET"); err != nil {
			t.Fatal(err)
		}
	}
	got := m.collect(t)
	orders, outcome := attribute.String("service", "orders"), attribute.Key("outcome")
	if n := sumOf(t, got["fairlead.client.attempts"], orders, outcome.String("success")); n != 1000 {
		t.Errorf("%d attempts went well", n)
	}
	if n := sumOf(t, got["fairlead.client.attempts"], orders, outcome.String("lost")); n != 1 {
		t.Errorf("%d attempts were lost", n)
	}
	if n := sumOf(t, got["fairlead.client.retries"], orders); n != 1 {
		t.Errorf("%d retries", n)
	}
	picks, ok := got["fairlead.client.pick.duration"].(metricdata.Histogram[float64])
	if !ok || len(picks.DataPoints) != 1 {
		t.Fatalf("pick durations are %+v", got["fairlead.client.pick.duration"])
	}
	// One in 64 is timed, and picks take microseconds at most.
	if p := picks.DataPoints[0]; p.Count == 0 || p.Count > 100 || p.Bounds[0] > 1e-6 || p.Sum > 1 {
		t.Errorf("picks: %+v", p)
	}
	// So is how long attempts take, of one in 16 that went well and of all others.
	if n := countOf(t, got["fairlead.client.attempt.duration"], orders, outcome.String("success")); n < 15 || n > 200 {
		t.Errorf("%d of 1000 attempts that went well were timed", n)
	}
	if n := countOf(t, got["fairlead.client.attempt.duration"], orders, outcome.String("lost")); n != 1 {
		t.Errorf("%d attempts that were lost were timed", n)
	}
	for name, data := range got {
		for _, key := range keysOf(data) {
			// Those beside the service are of a fixed list of values each, save tiers:
			// there are at most 17, which the document or code names.
			if !slices.Contains([]attribute.Key{"service", "outcome", "state", "reason", "mode", "tier", "distance", "budget", "kind"}, key) {
				t.Errorf("%s has the attribute %s, whose values are without bound", name, key)
			}
		}
	}
}

// countOf is how many values a histogram has with these attributes.
func countOf(t *testing.T, data metricdata.Aggregation, attributes ...attribute.KeyValue) uint64 {
	t.Helper()
	h, ok := data.(metricdata.Histogram[float64])
	if !ok {
		t.Fatalf("no histogram: %+v", data)
	}
	set := attribute.NewSet(attributes...)
	for _, p := range h.DataPoints {
		if p.Attributes.Equals(&set) {
			return p.Count
		}
	}
	return 0
}

func keysOf(data metricdata.Aggregation) (keys []attribute.Key) {
	add := func(set attribute.Set) {
		for _, a := range set.ToSlice() {
			keys = append(keys, a.Key)
		}
	}
	switch data := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes)
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes)
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes)
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes)
		}
	}
	return keys
}

// A closed mesh is no longer observed.
func TestAClosedMeshHasNoMetrics(t *testing.T) {
	m := newMeasured(t)
	if err := m.call(t.Context(), "GET"); err != nil {
		t.Fatal(err)
	}
	m.mesh.Close(t.Context())
	if _, there := m.collect(t)["fairlead.client.attempts"]; there {
		t.Error("it is still observed")
	}
}

// At level Full a call has a span, below the caller's, and each attempt has one
// below it, which names the instance.
func TestSpansReachTheSDK(t *testing.T) {
	m := newMeasured(t)
	ctx, caller := m.tracer.Tracer("caller").Start(t.Context(), "checkout")
	if err := m.call(ctx, "GET"); err != nil {
		t.Fatal(err)
	}
	caller.End()

	spans := m.spans.Ended()
	var names []string
	for _, s := range spans {
		names = append(names, s.Name())
	}
	if !slices.Equal(names, []string{"fairlead.attempt", "fairlead.attempt", "fairlead.call", "checkout"}) {
		t.Fatalf("spans ended in the order %v", names)
	}
	refused, answered, call := spans[0], spans[1], spans[2]
	if call.Parent().SpanID() != caller.SpanContext().SpanID() || refused.Parent().SpanID() != call.SpanContext().SpanID() || answered.Parent().SpanID() != call.SpanContext().SpanID() {
		t.Error("the spans do not hang together")
	}
	for _, v := range []struct {
		what string
		span trace.ReadOnlySpan
		key  attribute.Key
		want attribute.Value
	}{
		{"service of the call", call, "service", attribute.StringValue("orders")},
		{"method of the call", call, "method", attribute.StringValue("GET")},
		{"attempts of the call", call, "attempts", attribute.IntValue(2)},
		{"number of the first attempt", refused, "attempt", attribute.IntValue(1)},
		{"instance of the first attempt", refused, "instance", attribute.StringValue("a")},
		{"outcome of the first attempt", refused, "outcome", attribute.StringValue("lost")},
		{"number of the second attempt", answered, "attempt", attribute.IntValue(2)},
		{"instance of the second attempt", answered, "instance", attribute.StringValue("b")},
		{"outcome of the second attempt", answered, "outcome", attribute.StringValue("success")},
		{"address of the second attempt", answered, "network.peer.address", attribute.StringValue(fairleadtest.Instances("orders", "b")[0].Addr)},
	} {
		set := attribute.NewSet(v.span.Attributes()...)
		if got, ok := set.Value(v.key); !ok || got != v.want {
			t.Errorf("%s is %v, want %v", v.what, got.String(), v.want.String())
		}
	}
	if refused.Status().Code != codes.Error || answered.Status().Code != codes.Unset || call.Status().Code != codes.Unset {
		t.Errorf("status: %v, %v, %v", refused.Status(), answered.Status(), call.Status())
	}
}

// Every span that begins ends, also those of calls that find nobody.
func TestEverySpanEnds(t *testing.T) {
	m := newMeasured(t)
	if err := m.call(t.Context(), "GET"); err != nil {
		t.Fatal(err)
	}
	m.fleet.Remove("a", "b", "c")
	views, err := m.mesh.Views(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	for view := range views {
		if len(view.Nodes) == 0 {
			break
		}
	}
	if err := m.call(t.Context(), "GET"); err == nil {
		t.Fatal("it was answered by nobody")
	}
	if begun, ended := len(m.spans.Started()), len(m.spans.Ended()); begun != ended || begun != 5 {
		t.Errorf("%d spans began, %d ended", begun, ended)
	}
	last := m.spans.Ended()[len(m.spans.Ended())-1]
	if last.Name() != "fairlead.call" || last.Status().Code != codes.Error {
		t.Errorf("the last is %s, %v", last.Name(), last.Status())
	}
}
