package transport

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead-go/fairlead/ratelimit"
)

const (
	limitKey    = attribute.Key("limit")
	priorityKey = attribute.Key("priority")
	sideKey     = attribute.Key("side")
)

// limitMeter is the telemetry of limits, of clients and of servers.
type limitMeter struct {
	refused, shared      metric.Int64ObservableCounter
	inFlight, most, keys metric.Int64ObservableGauge
	throttled, pressure  metric.Float64ObservableGauge
	share, sharing       metric.Float64ObservableGauge
}

func (t *limitMeter) open(i *instruments) {
	t.refused = i.counter("fairlead.limit.refused", "Calls that a limit refused, by its name, the priority of the call, and the side: client or server.")
	t.inFlight = i.gauge("fairlead.limit.inflight", "Calls in flight that a limit of concurrency counts.")
	t.most = i.gauge("fairlead.limit.concurrency", "How many calls a limit of concurrency allows, all together.")
	t.keys = i.gauge("fairlead.limit.keys", "Keys that have a bucket of their own in a limit of rate.")
	t.shared = i.counter("fairlead.limit.keys.overflowed", "How often a key had to share its bucket with others, since there are too many.")
	t.throttled = i.ratio("fairlead.limit.throttled", "Share of the calls of a priority that throttling does not send right now.")
	t.share = i.float("fairlead.limit.share", "{call}/s", "The part that this process has of a limit which all clients share, by its state: live, stale or alone.")
	t.sharing = i.float("fairlead.limit.sharing", "{client}", "Among how many clients a limit is divided.")
	t.pressure = i.ratio("fairlead.pressure", "How near calls are to their limits: 1 while some are refused.")
}

// observe reports what a service's limits did at one side.
func (t *limitMeter) observe(to metric.Observer, service, side string, d *LimitsDump, p Pressure) {
	if d == nil {
		return
	}
	of, at := serviceKey.String(service), sideKey.String(side)
	to.ObserveFloat64(t.pressure, p.Level, metric.WithAttributes(of, at))
	for _, l := range d.Limits {
		name := limitKey.String(l.Name)
		for i, n := range l.Refused {
			to.ObserveInt64(t.refused, n, metric.WithAttributes(of, at, name, priorityKey.String(priorityOf(i).String())))
		}
		only := metric.WithAttributes(of, at, name)
		if l.Concurrency > 0 {
			to.ObserveInt64(t.inFlight, int64(l.InFlight), only)
			to.ObserveInt64(t.most, int64(l.Concurrency), only)
		}
		if l.keyed {
			to.ObserveInt64(t.keys, int64(l.Keys), only)
			to.ObserveInt64(t.shared, l.Overflowed, only)
		}
		if l.Throttled != nil {
			for i, share := range l.Throttled {
				to.ObserveFloat64(t.throttled, share, metric.WithAttributes(of, at, priorityKey.String(priorityOf(i).String())))
			}
		}
	}
}

// observeShared reports the parts of limits that clients share.
func (t *limitMeter) observeShared(to metric.Observer, service string, all []SharedLimitDump) {
	for _, l := range all {
		of, name := serviceKey.String(service), limitKey.String(l.Name)
		to.ObserveFloat64(t.share, l.Share, metric.WithAttributes(of, name, stateKey.String(l.State)))
		to.ObserveFloat64(t.sharing, float64(l.Clients), metric.WithAttributes(of, name))
	}
}

// priorityOf is the reverse of [ratelimit.Priority.Index].
func priorityOf(index int) ratelimit.Priority { return ratelimit.Sheddable + ratelimit.Priority(index) }
