package transport

import (
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
)

// Option sets something of a [Mesh].
type Option func(*options)

type options struct {
	logger    *slog.Logger
	pool      balancer.PoolConfig
	retry     retry.Policy
	budget    retry.BudgetConfig
	level     Level
	meters    metric.MeterProvider
	tracers   trace.TracerProvider
	ownsStore bool
}

// WithLogger sets where state changes are logged; nil, the default, is
// [slog.Default].
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithPolicy sets how an instance is chosen; the default is
// [balancer.P2CEWMA].
func WithPolicy(p balancer.Policy) Option { return func(o *options) { o.pool.Policy = p } }

// WithReach sets which endpoints this process may use: unix sockets, host
// names, loopback, some networks only. The zero value, which is the default,
// uses literal IP addresses, loopback among them where the registry says that
// it is local.
func WithReach(r discovery.Reach) Option { return func(o *options) { o.pool.Reach = r } }

// WithRetry sets what is retried; the zero value is the default.
func WithRetry(p retry.Policy) Option { return func(o *options) { o.retry = p } }

// WithBudget bounds the retries of each service; the zero value is the
// default.
func WithBudget(c retry.BudgetConfig) Option { return func(o *options) { o.budget = c } }

// WithTelemetry sets how much is measured; the default is [Metrics].
func WithTelemetry(l Level) Option { return func(o *options) { o.level = l } }

// WithMeterProvider sets where metrics go; the default is the global provider
// of OpenTelemetry.
func WithMeterProvider(p metric.MeterProvider) Option { return func(o *options) { o.meters = p } }

// WithTracerProvider sets where spans go, at level [Full]; the default is the
// global provider of OpenTelemetry.
func WithTracerProvider(p trace.TracerProvider) Option { return func(o *options) { o.tracers = p } }
