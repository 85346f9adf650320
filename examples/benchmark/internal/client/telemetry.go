package client

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
)

// telemetry is OpenTelemetry's SDK as a service has it, the same for all variants
// that measure: metrics are collected every ten seconds, one call in a hundred is
// traced, spans leave in batches. Only where they would go to is missing.
//
// No variant sends the trace along to the server: fairlead leaves that to
// whoever instruments the client, and it would be a header more for the others.
type telemetry struct {
	meters  *metric.MeterProvider
	tracers *trace.TracerProvider
}

func newTelemetry() telemetry {
	return telemetry{
		meters: metric.NewMeterProvider(metric.WithReader(
			metric.NewPeriodicReader(noMetrics{}, metric.WithInterval(10*time.Second)))),
		tracers: trace.NewTracerProvider(
			trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(0.01))), trace.WithBatcher(noSpans{})),
	}
}

func (t telemetry) Close() error {
	if t.meters == nil {
		return nil // nothing is measured
	}
	ctx := context.Background()
	return errors.Join(t.meters.Shutdown(ctx), t.tracers.Shutdown(ctx))
}

// noMetrics throws away what was collected.
type noMetrics struct{}

func (noMetrics) Temporality(k metric.InstrumentKind) metricdata.Temporality {
	return metric.DefaultTemporalitySelector(k)
}
func (noMetrics) Aggregation(k metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(k)
}
func (noMetrics) Export(context.Context, *metricdata.ResourceMetrics) error { return nil }
func (noMetrics) ForceFlush(context.Context) error                          { return nil }
func (noMetrics) Shutdown(context.Context) error                            { return nil }

// noSpans throws spans away.
type noSpans struct{}

func (noSpans) ExportSpans(context.Context, []trace.ReadOnlySpan) error { return nil }
func (noSpans) Shutdown(context.Context) error                          { return nil }
