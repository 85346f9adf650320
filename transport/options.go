package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
)

// Option sets something of a [Mesh].
type Option func(*options)

type options struct {
	logger      *slog.Logger
	pool        balancer.PoolConfig
	retry       retry.Policy
	budget      retry.BudgetConfig
	snapshotDir discovery.SnapshotDir
	level       Level
	meters      metric.MeterProvider
	tracers     trace.TracerProvider
	ownsStore   bool
	rules       []rule.Source
	caller      string
	pinning     bool
	health      *health // nil: nobody is probed
	region      string
	zone        string
	shared      *retry.Budget // nil: each mesh has its own
	tolerance   rule.FaultTolerance
	hedge       *retry.HedgeConfig // nil: no second attempts
	breaker     *rule.BreakerTable // nil: none
	judge       Judge
	observer    func(Event)
	timeout     time.Duration // of each call; 0: none
	limits      codeLimits
	gateway     string   // "": none
	fallbacks   []string // services that rules may redirect to
	many        bool     // an instance may be many machines
}

func (o *options) validateCaller() error {
	if o.caller == "" {
		return nil
	}
	return discovery.ValidateService(o.caller)
}

func (o *options) validateAttempts() error {
	var errs []error
	if o.hedge != nil {
		errs = append(errs, o.hedge.Validate())
	}
	if b := o.breaker; b != nil {
		errs = append(errs, b.Config.Validate())
		if b.Scope > rule.PerService {
			errs = append(errs, &discovery.FieldError{Field: "WithBreaker scope", Value: b.Scope, Allowed: "rule.PerInstance, PerMethod or PerService"})
		}
	}
	if o.timeout < 0 {
		errs = append(errs, &discovery.FieldError{Field: "WithTimeout", Value: o.timeout, Allowed: "0 (meaning none) or more"})
	}
	if o.tolerance > rule.Available {
		errs = append(errs, &discovery.FieldError{Field: "WithFaultTolerance", Value: uint8(o.tolerance), Allowed: "rule.Failover to rule.Available"})
	}
	if o.shared != nil {
		if child, err := o.shared.Child(retry.BudgetConfig{}); err != nil {
			errs = append(errs, fmt.Errorf("WithSharedBudget: %w", err))
		} else {
			child.Close()
		}
	}
	errs = append(errs, o.limits.validate()...)
	if o.gateway != "" {
		errs = append(errs, discovery.ValidateService(o.gateway))
	}
	for _, name := range o.fallbacks {
		errs = append(errs, discovery.ValidateService(name))
	}
	return errors.Join(errs...)
}

func (o *options) validateSnapshotDir() error {
	if o.snapshotDir == "" {
		return nil
	}
	return o.snapshotDir.Validate()
}

// WithLogger sets where state changes are logged; nil, the default, is
// [slog.Default].
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithPolicy sets how an instance is chosen; the default is
// [balancer.P2CEWMA{}].
func WithPolicy(p balancer.Policy) Option { return func(o *options) { o.pool.Policy = p } }

// WithBalancing sets how an instance is chosen, all of it, and who may be. The
// zero value is the default. Rules may say otherwise.
func WithBalancing(b balancer.Balancing) Option { return func(o *options) { o.pool.Balancing = b } }

// WithLocality says where this process is, in the words of the instances'
// Region and Zone; "" is not known. Calls then prefer instances that are near, see
// [balancer.Locality], unless its Prefer or the rules say otherwise. Where it is
// given, it comes before the Locality of [WithBalancing], in whatever order the
// options are. Not given, or two empty names: what that says.
func WithLocality(region, zone string) Option {
	return func(o *options) { o.region, o.zone = region, zone }
}

// locate makes balancing know what WithLocality said.
func (o *options) locate() {
	if o.region != "" || o.zone != "" {
		o.pool.Locality.Region, o.pool.Locality.Zone = o.region, o.zone
	}
}

// WithReach sets which endpoints this process may use: unix sockets, host
// names, loopback, some networks only. The zero value, which is the default,
// uses literal IP addresses, loopback among them where the registry says that
// it is local.
func WithReach(r discovery.Reach) Option { return func(o *options) { o.pool.Reach = r } }

// WithProtection sets what is done when a list shrinks sharply; the zero value,
// which is the default, holds on to instances that vanish en masse.
func WithProtection(p balancer.Protection) Option {
	return func(o *options) { o.pool.Protection = p }
}

// WithRetry sets what is retried; the zero value is the default.
func WithRetry(p retry.Policy) Option { return func(o *options) { o.retry = p } }

// WithTimeout bounds each call that is no stream, together with its own deadline:
// the least counts. Over HTTP that includes the body of the answer. Rules may say
// otherwise. 0, the default: nothing but the deadline.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithBudget bounds the retries and second attempts of each service; the zero value
// is the default.
func WithBudget(c retry.BudgetConfig) Option { return func(o *options) { o.budget = c } }

// WithSharedBudget bounds the retries of all services together, beside those of
// each: what ten services may retry is not ten times what one may. Several meshes
// may share one. The default is one of the mesh's own, which allows as much as the
// service that may retry most.
func WithSharedBudget(b *retry.Budget) Option { return func(o *options) { o.shared = b } }

// WithHedge sends idempotent calls a second time, to another instance, when they
// take long. Both count as attempts, so that a call which has one is not sent twice.
// The default is not to. Rules may say otherwise.
func WithHedge(c retry.HedgeConfig) Option { return func(o *options) { o.hedge = &c } }

// WithManyBehindOne says that what is listed as one instance are many machines, as
// behind a load balancer: a second attempt may then go where the first is.
func WithManyBehindOne() Option { return func(o *options) { o.many = true } }

// WithFallbackServices names the services to which rules may redirect a call whose
// own service fails. The default is none: who may write the rules of one service
// could else send its calls, with all they carry, to any other.
func WithFallbackServices(names ...string) Option {
	return func(o *options) { o.fallbacks = append(o.fallbacks, names...) }
}

// WithSnapshotDir keeps the list of each service that is called in a directory,
// as a [discovery.SnapshotDir], so that a process whose registry is down when it
// starts calls whom the last one called. Its first calls go out with the list
// from disk at once, and with the rules that the registry last had, where it has
// rules; limits that clients share are divided by how many there were. The list
// shows as stale, with its age, until the registry has said otherwise. The path
// has to be absolute and on a local disk; several processes of one user may share
// it. Empty, the default: nothing is kept.
//
// A list is saved while the registry vouches for it, at most every five
// seconds per service and not while its instances stay as they are; Close saves
// what is new. Hence the age of a list that was loaded is counted from its last
// change, or from when it was first saved: it is never less than the truth. An
// empty list is not saved: the last one that named somebody stays.
//
// No call fails or waits for a save. What fails shows in the log, the metrics
// and [Mesh.Dump].
func WithSnapshotDir(dir string) Option {
	return func(o *options) { o.snapshotDir = discovery.SnapshotDir(dir) }
}

// WithTelemetry sets how much is measured; the default is [Metrics].
func WithTelemetry(l Level) Option { return func(o *options) { o.level = l } }

// WithMeterProvider sets where metrics go; the default is the global provider
// of OpenTelemetry.
func WithMeterProvider(p metric.MeterProvider) Option { return func(o *options) { o.meters = p } }

// WithTracerProvider sets where spans go, at level [Full]; the default is the
// global provider of OpenTelemetry.
func WithTracerProvider(p trace.TracerProvider) Option { return func(o *options) { o.tracers = p } }
