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
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/discovery"
)

// scope is the instrumentation scope, the import path as OpenTelemetry asks.
const scope = "github.com/fairlead-go/fairlead/transport"

const (
	serviceKey = attribute.Key("service")
	outcomeKey = attribute.Key("outcome")
	stateKey   = attribute.Key("state")
	kindKey    = attribute.Key("kind")
	budgetKey  = attribute.Key("budget")
	reasonKey  = attribute.Key("reason")
	modeKey    = attribute.Key("mode")
	tierKey    = attribute.Key("tier")
	farKey     = attribute.Key("distance")
)

// sampleMask picks one pick in 64 to be timed: a third clock reading is not
// for every call.
const sampleMask = 63

// durationMask picks one attempt that went well in 16 to be told of how long it took,
// for the same reason, and since those who keep such figures do so under a lock. The
// shape of many is that of all; what did not go well is told of every time.
const durationMask = 15

// meter is a mesh's telemetry. Calls only add to their service's counts; the
// rest is read when somebody collects.
type meter struct {
	tracer trace.Tracer // used at level Full

	limits limitMeter

	pickDuration, attemptDuration metric.Float64Histogram
	observed                      metric.Registration // nil when off

	attempts, retries, refused, forbidden, preserved, ejections, late, unsaved, thaws, unrefreshed, rulesRefused, faults, copies metric.Int64ObservableCounter
	endpoints, modes, dropped, remaining, registeredIs, waiting, rules                                                           metric.Int64ObservableGauge
	staleness, savedAge, shares                                                                                                  metric.Float64ObservableGauge

	probes, lateProbes, verdicts, misreports metric.Int64ObservableCounter

	unknown, hedges, hopeless, rejected, transitions, overruled, fallbacks, panics, unobserved metric.Int64ObservableCounter
	breakers, bulkRemaining, sharedRemaining                                                   metric.Int64ObservableGauge
	unwell, connections                                                                        metric.Int64ObservableGauge
	moves                                                                                      metric.Int64ObservableCounter
	gateways                                                                                   metric.Float64ObservableGauge
}

func newMeter(m *Mesh, o options) (*meter, error) {
	t := &meter{}
	if o.level == Off {
		return t, nil
	}
	if o.tracers == nil {
		o.tracers = otel.GetTracerProvider()
	}
	t.tracer = o.tracers.Tracer(scope)
	if o.meters == nil {
		o.meters = otel.GetMeterProvider()
	}
	return t, t.open(m, o.meters.Meter(scope))
}

func (t *meter) open(m *Mesh, in metric.Meter) error {
	var err error
	t.pickDuration, err = in.Float64Histogram("fairlead.client.pick.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to choose an instance; one pick in 64 is timed."),
		metric.WithExplicitBucketBoundaries(1e-7, 2e-7, 5e-7, 1e-6, 2e-6, 5e-6, 1e-5, 1e-4, 1e-3))
	i := instruments{in: in, errs: []error{err}}
	t.attemptDuration, err = in.Float64Histogram("fairlead.client.attempt.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that attempts took until their answer was whole, by outcome; of those that went well, of one in 16. Streams are not among them."),
		metric.WithExplicitBucketBoundaries(1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1, 2, 5, 10))
	i.errs = append(i.errs, err)
	t.attempts = i.counter("fairlead.client.attempts", "Attempts sent to an instance, by outcome.")
	t.late = i.counter("fairlead.client.timeouts.late", "Attempts whose timeout this process noticed late, for want of CPU or because it was stopped; no instance is charged with them.")
	t.retries = i.counter("fairlead.client.retries", "Attempts beyond the first of a call.")
	t.refused = i.counter("fairlead.retry.budget.refused", "Retries not made because the budget was spent, by whose it is: the service's, or that of all together.")
	t.remaining = i.gauge("fairlead.retry.budget.remaining", "Retries that could be made right now.")
	t.bulkRemaining = i.gauge("fairlead.retry.budget.bulk.remaining", "Retries of sheddable calls that could be made right now.")
	t.sharedRemaining = i.gauge("fairlead.retry.budget.shared.remaining", "Retries that all services together could make right now.")
	t.hedges = i.counter("fairlead.client.hedges", "Second attempts that were due because the first took long, by state: won, lost, or dropped, which were not sent.")
	t.unknown = i.counter("fairlead.client.methods.unknown", "How often a method was asked for of which nothing is kept, because a thousand others of the service were called before: it has no breaker, no second attempts and no least time.")
	t.hopeless = i.counter("fairlead.client.deadline.refused", "Calls not sent because they had less time left than their method took of late at the least.")
	t.rejected = i.counter("fairlead.breaker.rejected", "Attempts that an open circuit breaker rejected; of those observe only, that it would have.")
	t.transitions = i.counter("fairlead.breaker.transitions", "Changes of circuit breakers, by the state they came to.")
	t.breakers = i.gauge("fairlead.breaker.breakers", "Circuit breakers, by state.")
	t.overruled = i.counter("fairlead.breaker.overruled", "Attempts to an instance whose circuit breaker is open, because those of the others were, too.")
	t.fallbacks = i.counter("fairlead.client.fallbacks", "Calls that failed and were to get something else, by state: answered, or failed, since there was no way to.")
	t.moves = i.counter("fairlead.gateway.calls", "Calls that were to go to a gateway, by state: moved, or stayed, since that was not possible.")
	t.gateways = i.ratio("fairlead.gateway.share", "Share of the calls of a service that go to a gateway now.")
	t.panics = i.counter("fairlead.callback.panics", "Panics of code that was handed in, by which: judge, observer or fallback.")
	t.unobserved = i.counter("fairlead.observer.dropped", "Events that an observer was too slow for.")
	t.waiting = i.gauge("fairlead.client.waiting", "Calls that wait for an instance, as they asked to.")
	t.connections = i.gauge("fairlead.client.connections", "Connections of gRPC clients, by state: ready, connecting, idle, or failed and to be tried again.")
	t.forbidden = i.counter("fairlead.client.connections.forbidden", "Connections not made because the socket's address may not be called.")
	t.endpoints = i.gauge("fairlead.endpoints", "Instances by state: serving, draining, held although they vanished, refused as malformed; passed-over are some of those serving, draining or held, and counted there, too; and endpoints: unix sockets ignored, addresses forbidden.")
	t.ejections = i.counter("fairlead.endpoints.ejections", "How often instances began to be passed over, by reason: how their calls ended, or what health checks found.")
	t.modes = i.gauge("fairlead.balancer.mode", "For how many protocols the instances of a service are chosen in a mode: normal, cold, fallback or panic.")
	t.shares = i.ratio("fairlead.balancer.share", "Share of the calls to all instances of a service that each tier of instances gets at each distance: zone, region, elsewhere, or anywhere where that does not matter.")
	t.preserved = i.counter("fairlead.endpoints.preserved", "Instances that vanished from the list and were held.")
	t.dropped = i.gauge("fairlead.metadata.dropped", "Metadata entries left out of the instances' records because they break the limits.")
	t.staleness = i.seconds("fairlead.registry.staleness", "Age of the list since the registry was last heard; 0 while it is live.")
	t.thaws = i.counter("fairlead.thaws", "Times that the process was found to have been frozen.")
	t.unrefreshed = i.counter("fairlead.registry.refresh.failed", "Lists that could not be refreshed after a freeze and were used as they were.")
	t.savedAge = i.seconds("fairlead.snapshot.age", "How old the list on disk would be if the process had to start with it now.")
	t.unsaved = i.counter("fairlead.snapshot.failures", "Loads and saves of the list on disk that failed.")
	t.rules = i.gauge("fairlead.rules.revision", "Revision of the rules, by state: applied, or refused and not in force; 0 where there are none.")
	t.rulesRefused = i.counter("fairlead.rules.refused", "Documents of rules that were not put in force because they are wrong.")
	t.faults = i.counter("fairlead.client.faults", "Calls that suffered a fault of a rule, by kind.")
	t.copies = i.counter("fairlead.client.copies", "Copies of calls that were due, by state: sent, or dropped.")
	t.misreports = i.counter("fairlead.client.reports.refused", "Reports of a server's load that could not be read, where one is wanted.")
	t.probes = i.counter("fairlead.health.probes", "Probes of instances, by outcome: passed, failed, or void, which says nothing.")
	t.lateProbes = i.counter("fairlead.health.probes.late", "Probes that began an interval or more after they were due.")
	t.verdicts = i.counter("fairlead.health.verdicts", "Changes of what health checks make of an instance, by state: unwell, or well again.")
	t.unwell = i.gauge("fairlead.health.unwell", "Instances that fail their health checks.")
	t.limits.open(&i)
	t.registeredIs = i.gauge("fairlead.registered", "Own instances that the registry is proved to hold.")
	if err := errors.Join(i.errs...); err != nil {
		return err
	}
	t.observed, err = in.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		t.observe(m, to)
		return nil
	}, i.all...)
	return err
}

// instruments makes those instruments that are read when somebody collects.
type instruments struct {
	in   metric.Meter
	all  []metric.Observable
	errs []error
}

func (i *instruments) made(o metric.Observable, err error) {
	i.all, i.errs = append(i.all, o), append(i.errs, err)
}

func (i *instruments) counter(name, description string) metric.Int64ObservableCounter {
	c, err := i.in.Int64ObservableCounter(name, metric.WithDescription(description))
	i.made(c, err)
	return c
}

func (i *instruments) gauge(name, description string) metric.Int64ObservableGauge {
	g, err := i.in.Int64ObservableGauge(name, metric.WithDescription(description))
	i.made(g, err)
	return g
}

func (i *instruments) seconds(name, description string) metric.Float64ObservableGauge {
	return i.float(name, "s", description)
}

func (i *instruments) ratio(name, description string) metric.Float64ObservableGauge {
	return i.float(name, "1", description)
}

func (i *instruments) float(name, unit, description string) metric.Float64ObservableGauge {
	g, err := i.in.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	i.made(g, err)
	return g
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

// attempt records, of some, how long one took until its answer was whole.
func (t *meter) attempt(s *service, now, took time.Duration, class Class) {
	if class == Success && now>>4&durationMask != 0 {
		return
	}
	t.attemptDuration.Record(context.Background(), took.Seconds(), s.outcomes[class]...)
}

// observe reports all services and registrations when somebody collects.
func (t *meter) observe(m *Mesh, to metric.Observer) {
	if _, ok := m.registry.(SettingsSource); ok {
		to.ObserveInt64(t.rulesRefused, m.settings.Load().refusals, metric.WithAttributes(kindKey.String("settings")))
	}
	if m.keeper != nil {
		to.ObserveInt64(t.unsaved, m.keeper.documentFailures(), metric.WithAttributes(kindKey.String("document")))
	}
	if m.pulse != nil {
		to.ObserveInt64(t.thaws, int64(m.pulse.found()))
	}
	to.ObserveInt64(t.sharedRemaining, int64(m.budget.Remaining(balancer.Now())))
	for name, n := range m.callbacks.panics() {
		to.ObserveInt64(t.panics, n, metric.WithAttributes(kindKey.String(name)))
	}
	if o := m.observing; o != nil {
		to.ObserveInt64(t.unobserved, o.dropped.Load())
	}
	for _, a := range m.admitted() {
		t.limits.observe(to, a.service, "server", a.Dump().Limits, a.Pressure())
	}
	for name, s := range *m.services.Load() {
		t.limits.observe(to, name, "client", s.dumpLimits(), m.Pressure(name))
		t.limits.observeShared(to, name, s.quotas.dump())
		of := serviceKey.String(name)
		for class := range Class(numberOfClasses) {
			to.ObserveInt64(t.attempts, s.counts.attempts(class), metric.WithAttributes(of, outcomeKey.String(class.String())))
		}
		only := metric.WithAttributes(of)
		to.ObserveInt64(t.late, s.counts.late.Load(), only)
		to.ObserveInt64(t.misreports, s.counts.misreported.Load(), only)
		to.ObserveInt64(t.retries, s.counts.retries.Load(), only)
		to.ObserveInt64(t.refused, s.counts.unaffordable.Load(), metric.WithAttributes(of, budgetKey.String("service")))
		to.ObserveInt64(t.refused, s.counts.unaffordableByAll.Load(), metric.WithAttributes(of, budgetKey.String("shared")))
		to.ObserveInt64(t.hopeless, s.counts.hopeless.Load(), only)
		t.observeAttempts(s, to, of)
		to.ObserveInt64(t.forbidden, s.counts.forbidden.Load(), only)
		to.ObserveInt64(t.remaining, int64(s.budget.Remaining(balancer.Now())), only)
		to.ObserveInt64(t.bulkRemaining, int64(s.bulk.Remaining(balancer.Now())), only)
		to.ObserveInt64(t.waiting, s.waiting.Load(), only)
		if m.pulse != nil {
			to.ObserveInt64(t.unrefreshed, s.counts.unrefreshed.Load(), only)
		}
		t.observeRules(s, to, of)
		t.observeHealth(s, to, of)
		t.observeConnections(s, to, of)
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
		to.ObserveInt64(t.endpoints, int64(len(view.Outages)), metric.WithAttributes(of, stateKey.String("passed-over")))
		for reason, count := range view.Ejections.All() {
			to.ObserveInt64(t.ejections, count, metric.WithAttributes(of, reasonKey.String(reason.String())))
		}
		modes := map[balancer.Mode]int64{} // by protocol they would be without bound: instances name them
		for _, c := range view.Choices() {
			modes[c.Mode()]++
		}
		for mode := range balancer.Modes {
			to.ObserveInt64(t.modes, modes[balancer.Mode(mode)], metric.WithAttributes(of, modeKey.String(balancer.Mode(mode).String())))
		}
		for p, share := range sharesOf(view) {
			to.ObserveFloat64(t.shares, share, metric.WithAttributes(of, tierKey.String(p.tier), farKey.String(p.distance.String())))
		}
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

// observeRules reports what the rules of a service are and did.
func (t *meter) observeRules(s *service, to metric.Observer, of attribute.KeyValue) {
	d := s.dumpRules()
	if d == nil {
		return
	}
	to.ObserveInt64(t.rules, d.Revision, metric.WithAttributes(of, stateKey.String("applied")))
	to.ObserveInt64(t.rules, d.RefusedRevision, metric.WithAttributes(of, stateKey.String("refused")))
	to.ObserveInt64(t.rulesRefused, d.Refusals, metric.WithAttributes(of))
	to.ObserveInt64(t.faults, d.Delayed, metric.WithAttributes(of, kindKey.String("delay")))
	to.ObserveInt64(t.faults, d.Aborted, metric.WithAttributes(of, kindKey.String("abort")))
	to.ObserveInt64(t.copies, d.Mirrored, metric.WithAttributes(of, stateKey.String("sent")))
	to.ObserveInt64(t.copies, d.Unmirrored, metric.WithAttributes(of, stateKey.String("dropped")))
}

// observeAttempts reports what became of calls whose attempts were slow or failed.
func (t *meter) observeAttempts(s *service, to metric.Observer, of attribute.KeyValue) {
	c := &s.counts
	to.ObserveInt64(t.unknown, c.unknown.Load(), metric.WithAttributes(of))
	to.ObserveInt64(t.hedges, c.hedgesWon.Load(), metric.WithAttributes(of, stateKey.String("won")))
	to.ObserveInt64(t.hedges, c.hedges.Load()-c.hedgesWon.Load(), metric.WithAttributes(of, stateKey.String("lost")))
	to.ObserveInt64(t.hedges, c.unhedged.Load(), metric.WithAttributes(of, stateKey.String("dropped")))
	to.ObserveInt64(t.fallbacks, c.fellBack.Load(), metric.WithAttributes(of, stateKey.String("answered")))
	to.ObserveInt64(t.fallbacks, c.unanswerable.Load(), metric.WithAttributes(of, stateKey.String("failed")))
	if g := s.dumpGateway(); g != nil {
		to.ObserveInt64(t.moves, g.Moved, metric.WithAttributes(of, stateKey.String("moved")))
		to.ObserveInt64(t.moves, g.Stayed, metric.WithAttributes(of, stateKey.String("stayed")))
		to.ObserveFloat64(t.gateways, g.Share, metric.WithAttributes(of))
	}
	b := s.course.Load().plans.of(nil).breakers
	if b == nil {
		return
	}
	d := b.dump(c)
	to.ObserveInt64(t.rejected, d.Rejected+d.WouldReject, metric.WithAttributes(of))
	to.ObserveInt64(t.overruled, c.overruled.Load(), metric.WithAttributes(of))
	for state := range breaker.Open + 1 {
		to.ObserveInt64(t.transitions, c.transitions[state].Load(), metric.WithAttributes(of, stateKey.String(state.String())))
		to.ObserveInt64(t.breakers, d.States[state.String()], metric.WithAttributes(of, stateKey.String(state.String())))
	}
}

// observeHealth reports what health checks found, where there are any.
func (t *meter) observeHealth(s *service, to metric.Observer, of attribute.KeyValue) {
	d := s.dumpHealth()
	if d == nil {
		return
	}
	to.ObserveInt64(t.unwell, int64(d.Unwell), metric.WithAttributes(of))
	to.ObserveInt64(t.verdicts, s.counts.sickened.Load(), metric.WithAttributes(of, stateKey.String("unwell")))
	to.ObserveInt64(t.verdicts, s.counts.recovered.Load(), metric.WithAttributes(of, stateKey.String("well")))
	for outcome, n := range map[string]int64{"passed": d.Probes.Passed, "failed": d.Probes.Failed, "void": d.Probes.Void} {
		to.ObserveInt64(t.probes, n, metric.WithAttributes(of, outcomeKey.String(outcome)))
	}
	to.ObserveInt64(t.lateProbes, d.Probes.Late, metric.WithAttributes(of))
}

func staleness(s discovery.Snapshot) time.Duration {
	if s.State == discovery.Live || s.AsOf.IsZero() {
		return 0
	}
	return max(0, time.Since(s.AsOf))
}
