package transport

import (
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// localRegistry is a registry that says whether all it tells comes from this
// host; see [discovery.Registry].
type localRegistry interface{ Local() bool }

// reachOver adds what the registry's place says to what code says. Networks
// are the whole truth where there are any.
func reachOver(r discovery.Reach, registry discovery.Registry) discovery.Reach {
	if l, ok := registry.(localRegistry); ok && l.Local() && len(r.Networks) == 0 {
		r.Loopback = true
	}
	return r
}

// Reach returns how this mesh may reach instances: what [WithReach] said, and
// loopback if the registry is local.
func (m *Mesh) Reach() discovery.Reach { return m.options.pool.Reach }

// CheckSocket is the address policy where it counts, for doors: they ask it
// about every socket to an instance of service, best in
// [net.Dialer].ControlContext before it connects, else about the RemoteAddr of
// a connection before anything is written to it. A refusal is counted and
// logged, and surely nothing was sent. The error is a
// [*discovery.ForbiddenError].
func (m *Mesh) CheckSocket(service, network, address string) error {
	err := m.Reach().CheckSocket(network, address)
	if err == nil {
		return nil
	}
	if s, ok := (*m.services.Load())[service]; ok {
		s.counts.one(&s.counts.forbidden)
		if due(&s.forbiddenTold, balancer.Now()) {
			m.logger.Warn("fairlead: a connection was not made", "service", service, "error", err)
		}
	}
	return err
}

// due reports whether what was last told at last, 0: never, is to be told
// again. Of several at once one is told so.
func due(last *atomic.Int64, now time.Duration) bool {
	before := last.Load()
	return (before == 0 || int64(now)-before >= int64(10*time.Second)) && last.CompareAndSwap(before, int64(now))
}
