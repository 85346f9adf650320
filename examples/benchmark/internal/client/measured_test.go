package client_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// What says that it measures must do so: an instrumentation that got no SDK costs
// next to nothing. What does not say so must not either.
func TestEachVariantMeasuresWhatItSays(t *testing.T) {
	f := fleet(t)
	each(t, func(t *testing.T, variant, protocol string) {
		reader, spans := metric.NewManualReader(), tracetest.NewInMemoryExporter()
		c, err := client.Assignment{Variant: variant, Addrs: f.Places.TCP[protocol], Scenario: scenario.Scenario{
			Protocol: protocol, Payload: 128, Concurrency: 1, Handler: scenario.Thin,
		}}.DialWith(metric.NewMeterProvider(metric.WithReader(reader)), trace.NewTracerProvider(trace.WithSyncer(spans)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		if err := c.Worker()(ctx); err != nil {
			t.Fatal(err)
		}
		end() // of the stream, too: its span is told then
		metric, traced := "", false
		switch variant {
		case "otel", "usual-stack":
			metric, traced = "http.client.request.duration", true
			if strings.HasPrefix(protocol, scenario.GRPC) {
				metric = "rpc.client.call.duration"
			}
		case "fairlead-full":
			metric, traced = "fairlead.client.attempts", true
		case "fairlead-metrics", "fairlead-all", "fairlead-critical":
			metric = "fairlead.client.attempts"
		}
		for n := 0; traced && len(spans.GetSpans()) == 0; n++ {
			if n == 5000 {
				t.Fatal("no span")
			}
			time.Sleep(time.Millisecond)
		}
		if got := len(spans.GetSpans()); !traced && got > 0 {
			t.Errorf("%d spans, want none", got)
		}
		names := metrics(t, reader)
		if metric == "" && len(names) > 0 || metric != "" && !slices.Contains(names, metric) {
			t.Errorf("metrics %q, want %q among them", names, metric)
		}
	})
}

func metrics(t *testing.T, reader metric.Reader) (names []string) {
	t.Helper()
	var found metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &found); err != nil {
		t.Fatal(err)
	}
	for _, scope := range found.ScopeMetrics {
		for _, m := range scope.Metrics {
			names = append(names, m.Name)
		}
	}
	return names
}
