package transport

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// scope is the instrumentation scope, the import path as OpenTelemetry asks.
const scope = "github.com/fairlead-go/fairlead/transport"

const (
	serviceKey = attribute.Key("service")
	outcomeKey = attribute.Key("outcome")
	stateKey   = attribute.Key("state")
)

// sampleMask picks one pick in 64 to be timed: a third clock reading is not
// for every call.
const sampleMask = 63

// meter is a mesh's telemetry. Calls only add to their service's counts; the
// rest is read when somebody collects.
type meter struct {
	on     bool
	tracer trace.Tracer // nil below level Full

	pickDuration metric.Float64Histogram
	observed     metric.Registration // nil when off

	attempts, retries, refused, forbidden       metric.Int64ObservableCounter
	preserved, unsaved                          metric.Int64ObservableCounter
	endpoints, dropped, remaining, registeredIs metric.Int64ObservableGauge
	staleness, savedAge                         metric.Float64ObservableGauge
	thaws, unrefreshed                          metric.Int64ObservableCounter
	waiting                                     metric.Int64ObservableGauge
}

func newMeter(m *Mesh, o options) (*meter, error) {
	t := &meter{on: o.level != Off}
	if !t.on {
		return t, nil
	}
	if o.level == Full {
		if o.tracers == nil {
			o.tracers = otel.GetTracerProvider()
		}
		t.tracer = o.tracers.Tracer(scope)
	}
	if o.meters == nil {
		o.meters = otel.GetMeterProvider()
	}
	return t, t.open(m, o.meters.Meter(scope))
}

func (t *meter) open(m *Mesh, in metric.Meter) error {
	var errs [17]error
	t.pickDuration, errs[0] = in.Float64Histogram("fairlead.client.pick.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to choose an instance; one pick in 64 is timed."),
		metric.WithExplicitBucketBoundaries(1e-7, 2e-7, 5e-7, 1e-6, 2e-6, 5e-6, 1e-5, 1e-4, 1e-3))
	t.attempts, errs[1] = in.Int64ObservableCounter("fairlead.client.attempts",
		metric.WithDescription("Attempts sent to an instance, by outcome."))
	t.retries, errs[2] = in.Int64ObservableCounter("fairlead.client.retries",
		metric.WithDescription("Attempts beyond the first of a call."))
	t.refused, errs[3] = in.Int64ObservableCounter("fairlead.retry.budget.refused",
		metric.WithDescription("Retries not made because the budget was spent."))
	t.remaining, errs[4] = in.Int64ObservableGauge("fairlead.retry.budget.remaining",
		metric.WithDescription("Retries that could be made right now."))
	t.endpoints, errs[5] = in.Int64ObservableGauge("fairlead.endpoints",
		metric.WithDescription("Instances by state: serving, draining, held although they vanished, refused as malformed; and endpoints: unix sockets ignored, addresses forbidden."))
	t.staleness, errs[6] = in.Float64ObservableGauge("fairlead.registry.staleness", metric.WithUnit("s"),
		metric.WithDescription("Age of the list since the registry was last heard; 0 while it is live."))
	t.registeredIs, errs[7] = in.Int64ObservableGauge("fairlead.registered",
		metric.WithDescription("Own instances that the registry is proved to hold."))
	t.preserved, errs[8] = in.Int64ObservableCounter("fairlead.endpoints.preserved",
		metric.WithDescription("Instances that vanished from the list and were held."))
	t.savedAge, errs[9] = in.Float64ObservableGauge("fairlead.snapshot.age", metric.WithUnit("s"),
		metric.WithDescription("How old the list on disk would be if the process had to start with it now."))
	t.unsaved, errs[10] = in.Int64ObservableCounter("fairlead.snapshot.failures",
		metric.WithDescription("Loads and saves of the list on disk that failed."))
	t.forbidden, errs[11] = in.Int64ObservableCounter("fairlead.client.connections.forbidden",
		metric.WithDescription("Connections not made because the socket's address may not be called."))
	t.dropped, errs[12] = in.Int64ObservableGauge("fairlead.metadata.dropped",
		metric.WithDescription("Metadata entries left out of the instances' records because they break the limits."))
	t.waiting, errs[13] = in.Int64ObservableGauge("fairlead.client.waiting",
		metric.WithDescription("Calls that wait for an instance, as they asked to."))
	t.thaws, errs[14] = in.Int64ObservableCounter("fairlead.thaws",
		metric.WithDescription("Times that the process was found to have been frozen."))
	t.unrefreshed, errs[15] = in.Int64ObservableCounter("fairlead.registry.refresh.failed",
		metric.WithDescription("Lists that could not be refreshed after a freeze and were used as they were."))
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	t.observed, errs[16] = in.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		t.observe(m, to)
		return nil
	}, t.attempts, t.retries, t.refused, t.forbidden, t.preserved, t.remaining, t.endpoints, t.dropped, t.staleness, t.registeredIs, t.savedAge, t.unsaved,
		t.waiting, t.thaws, t.unrefreshed)
	return errs[16]
}

func (t *meter) close() error {
	if t.observed == nil {
		return nil
	}
	return t.observed.Unregister()
}

// pick records the duration of one pick.
func (t *meter) pick(ctx context.Context, s *service, d time.Duration) {
	t.pickDuration.Record(ctx, d.Seconds(), s.labels...)
}

// observe reports all services and registrations when somebody collects.
func (t *meter) observe(m *Mesh, to metric.Observer) {
	if m.pulse != nil {
		to.ObserveInt64(t.thaws, int64(m.pulse.found()))
	}
	for name, s := range *m.services.Load() {
		of := serviceKey.String(name)
		for class := range Class(classes) {
			to.ObserveInt64(t.attempts, s.counts.attempts(class), metric.WithAttributes(of, outcomeKey.String(class.String())))
		}
		only := metric.WithAttributes(of)
		to.ObserveInt64(t.retries, s.counts.retries.Load(), only)
		to.ObserveInt64(t.refused, s.counts.unaffordable.Load(), only)
		to.ObserveInt64(t.forbidden, s.counts.forbidden.Load(), only)
		to.ObserveInt64(t.remaining, int64(s.budget.Remaining(balancer.Now())), only)
		to.ObserveInt64(t.waiting, s.waiting.Load(), only)
		if m.pulse != nil {
			to.ObserveInt64(t.unrefreshed, s.counts.unrefreshed.Load(), only)
		}
		view := s.pool.View()
		draining := 0
		for _, n := range view.Nodes {
			if n.Instance().Draining {
				draining++
			}
		}
		to.ObserveInt64(t.endpoints, int64(len(view.Nodes)-draining-view.Held), metric.WithAttributes(of, stateKey.String("serving")))
		to.ObserveInt64(t.endpoints, int64(draining), metric.WithAttributes(of, stateKey.String("draining")))
		to.ObserveInt64(t.endpoints, int64(view.Held), metric.WithAttributes(of, stateKey.String("held")))
		to.ObserveInt64(t.preserved, view.Preserved.Held, only)
		to.ObserveInt64(t.endpoints, int64(view.Snapshot.Refused), metric.WithAttributes(of, stateKey.String("refused")))
		to.ObserveInt64(t.endpoints, int64(view.Ignored), metric.WithAttributes(of, stateKey.String("ignored")))
		to.ObserveInt64(t.endpoints, int64(view.Forbidden), metric.WithAttributes(of, stateKey.String("forbidden")))
		to.ObserveInt64(t.dropped, int64(view.Snapshot.Dropped), only)
		to.ObserveFloat64(t.staleness, staleness(view.Snapshot).Seconds(), only)
		if d := s.disk.dump(); d != nil {
			to.ObserveInt64(t.unsaved, d.Failures, only)
			if !d.AsOf.IsZero() {
				to.ObserveFloat64(t.savedAge, d.Age.Seconds(), only)
			}
		}
	}
	registered := map[string]int64{}
	for _, r := range m.registered() {
		if r.Registered {
			registered[r.Service]++
		} else {
			registered[r.Service] += 0
		}
	}
	for service, n := range registered {
		to.ObserveInt64(t.registeredIs, n, metric.WithAttributes(serviceKey.String(service)))
	}
}

func staleness(s discovery.Snapshot) time.Duration {
	if s.State == discovery.Live || s.AsOf.IsZero() {
		return 0
	}
	return max(0, time.Since(s.AsOf))
}
