package transport_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// meters is a metric.MeterProvider that collects when the test asks it.
type meters struct {
	metricnoop.MeterProvider
	scopes    []string
	callbacks []metric.Callback
	picks     picks
}

type meter struct {
	metricnoop.Meter
	of *meters
}

func (m *meters) Meter(name string, _ ...metric.MeterOption) metric.Meter {
	m.scopes = append(m.scopes, name)
	return meter{of: m}
}

func (m meter) Int64ObservableCounter(name string, _ ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return counter{name: name}, nil
}

func (m meter) Int64ObservableGauge(name string, _ ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	return gauge{name: name}, nil
}

func (m meter) Float64ObservableGauge(name string, _ ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	return floatGauge{name: name}, nil
}

func (m meter) Float64Histogram(name string, _ ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	if name == "fairlead.client.pick.duration" {
		return &m.of.picks, nil
	}
	return metricnoop.Float64Histogram{}, nil
}

func (m meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.of.callbacks = append(m.of.callbacks, f)
	return unregister{of: m.of}, nil
}

type unregister struct {
	embedded.Registration
	of *meters
}

func (u unregister) Unregister() error {
	u.of.callbacks = nil
	return nil
}

type (
	counter struct {
		metricnoop.Int64ObservableCounter
		name string
	}
	gauge struct {
		metricnoop.Int64ObservableGauge
		name string
	}
	floatGauge struct {
		metricnoop.Float64ObservableGauge
		name string
	}
)

// picks is the histogram of pick durations.
type picks struct {
	metricnoop.Float64Histogram
	mu sync.Mutex
	n  int
}

func (p *picks) Record(context.Context, float64, ...metric.RecordOption) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
}

// collect returns all values, by name and attributes.
func (m *meters) collect(t *testing.T) observed {
	t.Helper()
	got := observed{values: map[string]float64{}}
	for _, f := range m.callbacks {
		if err := f(t.Context(), got); err != nil {
			t.Error(err)
		}
	}
	return got
}

type observed struct {
	embedded.Observer
	values map[string]float64
}

func (o observed) ObserveInt64(of metric.Int64Observable, v int64, options ...metric.ObserveOption) {
	switch of := of.(type) {
	case counter:
		o.put(of.name, float64(v), options)
	case gauge:
		o.put(of.name, float64(v), options)
	}
}

func (o observed) ObserveFloat64(of metric.Float64Observable, v float64, options ...metric.ObserveOption) {
	o.put(of.(floatGauge).name, v, options)
}

func (o observed) put(name string, v float64, options []metric.ObserveOption) {
	set := metric.NewObserveConfig(options).Attributes()
	for _, a := range set.ToSlice() {
		name += " " + string(a.Key) + "=" + a.Value.AsString()
	}
	o.values[name] = v
}

// tracers counts the spans it is asked for.
type tracers struct {
	tracenoop.TracerProvider
	spans     []string
	unsampled bool
}

type tracer struct {
	tracenoop.Tracer
	of *tracers
}

func (t *tracers) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{of: t} }

func (t tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	t.of.spans = append(t.of.spans, name)
	ctx, s := t.Tracer.Start(ctx, name, options...)
	return ctx, recording{s, !t.of.unsampled}
}

// recording is a span that says whether anybody will see it.
type recording struct {
	trace.Span
	is bool
}

func (r recording) IsRecording() bool { return r.is }

// busy makes some calls of every kind and returns what telemetry saw.
func busy(t *testing.T, level transport.Level) (*transport.Mesh, *meters, *tracers) {
	t.Helper()
	return busyWith(t, level, new(tracers))
}

func busyWith(t *testing.T, level transport.Level, tracers *tracers) (*transport.Mesh, *meters, *tracers) {
	t.Helper()
	instances := fairleadtest.Instances("orders", "a", "b", "c")
	instances[2].Draining = true
	instances[2].Endpoints = []discovery.Endpoint{
		{Protocol: discovery.HTTP, Addr: instances[2].Addr}, {Protocol: discovery.HTTP, Addr: "unix:/run/c.sock"},
	}
	fleet := fairleadtest.NewFleet(instances...)
	meters := new(meters)
	m := newMesh(t, fleet, inAnyCase(), transport.WithTelemetry(level), transport.WithMeterProvider(meters), transport.WithTracerProvider(tracers),
		transport.WithBudget(retry.BudgetConfig{MinPerSecond: 0.1}))
	fleet.Play("a", fairleadtest.Refused(), fairleadtest.Refused(), fairleadtest.OK())
	for range 1000 {
		m.Do(t.Context(), put(), fleet.Door(m))
	}
	fleet.Fail(errDown)
	if _, err := m.Register(t.Context(), fairleadtest.Instances("users", "me")[0]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	return m, meters, tracers
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, meters, tracers := busy(t, transport.Metrics)
		got := meters.collect(t).values
		// The first call was refused by a, and made again on b, which spent the
		// budget; the second began on a again and was not made again.
		want := map[string]float64{
			"fairlead.client.attempts outcome=lost service=orders":                    2,
			"fairlead.client.attempts outcome=success service=orders":                 999,
			"fairlead.client.attempts outcome=failure service=orders":                 0,
			"fairlead.client.attempts outcome=neutral service=orders":                 0,
			"fairlead.client.attempts outcome=overload service=orders":                0,
			"fairlead.client.attempts outcome=timeout service=orders":                 0,
			"fairlead.client.retries service=orders":                                  1,
			"fairlead.client.timeouts.late service=orders":                            0,
			"fairlead.client.reports.refused service=orders":                          0,
			"fairlead.retry.budget.refused budget=service service=orders":             1,
			"fairlead.retry.budget.refused budget=shared service=orders":              0,
			"fairlead.retry.budget.shared.remaining":                                  1,
			"fairlead.client.hedges service=orders state=won":                         0,
			"fairlead.client.hedges service=orders state=lost":                        0,
			"fairlead.client.hedges service=orders state=dropped":                     0,
			"fairlead.client.fallbacks service=orders state=answered":                 0,
			"fairlead.client.fallbacks service=orders state=failed":                   0,
			"fairlead.client.deadline.refused service=orders":                         0,
			"fairlead.client.methods.unknown service=orders":                          0,
			"fairlead.retry.budget.remaining service=orders":                          1,
			"fairlead.retry.budget.bulk.remaining service=orders":                     1,
			"fairlead.endpoints service=orders state=serving":                         2,
			"fairlead.endpoints service=orders state=draining":                        1,
			"fairlead.endpoints service=orders state=held":                            0,
			"fairlead.endpoints.preserved service=orders":                             0,
			"fairlead.endpoints service=orders state=passed-over":                     0,
			"fairlead.balancer.mode mode=normal service=orders":                       2,
			"fairlead.balancer.mode mode=cold service=orders":                         0,
			"fairlead.balancer.mode mode=fallback service=orders":                     0,
			"fairlead.balancer.mode mode=panic service=orders":                        0,
			"fairlead.balancer.share distance=anywhere service=orders tier=":          1,
			"fairlead.endpoints.ejections reason=refused service=orders":              0,
			"fairlead.endpoints.ejections reason=health-check service=orders":         0,
			"fairlead.endpoints.ejections reason=tls service=orders":                  0,
			"fairlead.endpoints.ejections reason=consecutive-failures service=orders": 0,
			"fairlead.endpoints.ejections reason=success-rate service=orders":         0,
			"fairlead.endpoints.ejections reason=failure-percentage service=orders":   0,
			"fairlead.endpoints.ejections reason=slow-calls service=orders":           0,
			"fairlead.endpoints service=orders state=refused":                         0,
			"fairlead.endpoints service=orders state=ignored":                         1,
			"fairlead.endpoints service=orders state=forbidden":                       0,
			"fairlead.client.connections.forbidden service=orders":                    0,
			"fairlead.metadata.dropped service=orders":                                0,
			"fairlead.registry.staleness service=orders":                              60,
			"fairlead.registered service=users":                                       0,
			"fairlead.client.waiting service=orders":                                  0,
		}
		if !maps.Equal(got, want) {
			for _, name := range slices.Sorted(maps.Keys(got)) {
				t.Logf("%s %v", name, got[name])
			}
			t.Errorf("want %v", want)
		}
		if !slices.Equal(meters.scopes, []string{"github.com/fairlead-go/fairlead/transport"}) {
			t.Errorf("scopes are %v", meters.scopes)
		}
		// One pick in 64 is timed: about 16 of a thousand.
		if n := meters.picks.n; n < 3 || n > 50 {
			t.Errorf("%d of 1000 picks were timed", n)
		}
		if len(tracers.spans) != 0 {
			t.Errorf("spans: %v", tracers.spans)
		}
		m.Close(canceled())
		if len(meters.callbacks) != 0 {
			t.Error("Close leaves its callback behind")
		}
	})
}

// Off: nothing is counted, and telemetry is not even asked for.
func TestTelemetryOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, meters, tracers := busy(t, transport.Off)
		if len(meters.scopes) != 0 || meters.picks.n != 0 || len(tracers.spans) != 0 {
			t.Errorf("meters of %v, %d picks, spans %v", meters.scopes, meters.picks.n, tracers.spans)
		}
		s := service(t, m)
		for outcome, n := range s.Attempts {
			if n != 0 {
				t.Errorf("%d attempts are counted as %s", n, outcome)
			}
		}
		if s.Retries != 0 || s.BudgetRefused != 0 {
			t.Errorf("%d retries and %d refused are counted", s.Retries, s.BudgetRefused)
		}
		// What balancing measures stays.
		if s.Instances[0].Stats.Idle == 0 {
			t.Errorf("the instance has no history: %+v", s.Instances[0].Stats)
		}
	})
}

// Full: a span per call and one per attempt.
func TestTelemetryFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, meters, tracers := busy(t, transport.Full)
		if len(meters.callbacks) != 1 {
			t.Error("no metrics")
		}
		if got := strings.Join(tracers.spans[:5], " "); got != "fairlead.call fairlead.attempt fairlead.attempt fairlead.call fairlead.attempt" {
			t.Errorf("spans begin with %s", got)
		}
		if got, want := len(tracers.spans), 1000+1001; got != want {
			t.Errorf("%d spans, want %d", got, want)
		}
	})
}

// Of a call that is not sampled nobody sees the attempts.
func TestUnsampledCallsHaveNoSpansOfAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, tracers := busyWith(t, transport.Full, &tracers{unsampled: true})
		if got := len(tracers.spans); got != 1000 || slices.Contains(tracers.spans, "fairlead.attempt") {
			t.Errorf("%d spans of a thousand calls, of attempts among them: %t", got, slices.Contains(tracers.spans, "fairlead.attempt"))
		}
	})
}
