package transport

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Connections are how many connections there are to the instances of a service,
// by their state.
type Connections struct {
	Ready      int64 `json:"ready"`
	Connecting int64 `json:"connecting"`
	Idle       int64 `json:"idle"`
	Failed     int64 `json:"failed"` // they will be tried again
}

// CountConnections is for doors that keep connections: it counts those that one
// client has now in the place of those it had when it was called last. It may be
// called at any time; of a service that nobody calls, or once the mesh is closed,
// it does nothing.
func (m *Mesh) CountConnections(service string, before, now Connections) {
	s := (*m.services.Load())[service]
	if s == nil || before == now {
		return
	}
	c := &s.connections
	c.ready.Add(now.Ready - before.Ready)
	c.connecting.Add(now.Connecting - before.Connecting)
	c.idle.Add(now.Idle - before.Idle)
	c.failed.Add(now.Failed - before.Failed)
	c.counted.Store(true)
}

// connections are those of all clients that count theirs.
type connections struct {
	ready, connecting, idle, failed atomic.Int64
	counted                         atomic.Bool // at least once
}

// dump returns nil if nobody counts any.
func (c *connections) dump() *Connections {
	if !c.counted.Load() {
		return nil
	}
	return &Connections{c.ready.Load(), c.connecting.Load(), c.idle.Load(), c.failed.Load()}
}

// observeConnections reports those of a service.
func (t *meter) observeConnections(s *service, to metric.Observer, of attribute.KeyValue) {
	d := s.connections.dump()
	if d == nil {
		return
	}
	to.ObserveInt64(t.connections, d.Ready, metric.WithAttributes(of, stateKey.String("ready")))
	to.ObserveInt64(t.connections, d.Connecting, metric.WithAttributes(of, stateKey.String("connecting")))
	to.ObserveInt64(t.connections, d.Idle, metric.WithAttributes(of, stateKey.String("idle")))
	to.ObserveInt64(t.connections, d.Failed, metric.WithAttributes(of, stateKey.String("failed")))
}
