package transport

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// WithGateway names a service of shared gateways, through which calls go where an
// operator says so in the section gateway of a service's rules, or where this
// process knows nothing of a service: the registry cannot be heard, and there is no
// list on disk. Both move the calls by steps, a tenth, a quarter, half, and all of
// what is asked for, each two seconds, and back the same way, after ten seconds in
// which there was no reason any more; where rules switch it off, at once. Who the
// gateways are must be known by another way then, see [discovery.Composite]. A
// gateway of which nothing is known gets no calls; those stay, and are counted. They
// are told by [Call.Origin] for whom a call is. The default is none.
func WithGateway(service string) Option { return func(o *options) { o.gateway = service } }

// gateway is where the calls of a service go instead of straight to its instances,
// and how many of them. It lasts as long as the service is called.
type gateway struct {
	course atomic.Pointer[shift]
	counts *counts
}

// newGateway returns nil where code allows none.
func (o *options) newGateway(c *counts) *gateway {
	if o.gateway == "" && len(o.fallbacks) == 0 {
		return nil
	}
	g := &gateway{counts: c}
	g.course.Store(new(shift))
	return g
}

// gatewayLocked makes up where the calls of a service go, as rules, code and what is
// known of the service have it.
func (m *Mesh) gatewayLocked(s *service, table *rule.Table) {
	if s.gateway == nil {
		return
	}
	to, share, reason, off := m.gatewayOf(s, table)
	before := s.gateway.course.Load()
	next := before.aim(to, share, reason, balancer.Now())
	if off {
		next = &shift{reason: reason}
	}
	s.gateway.course.Store(next)
	if before.to != next.to || next.to > 0 && before.service != next.service {
		m.logger.Warn("fairlead: calls move to or from a gateway", "service", s.name, "gateway", cmp.Or(next.service, before.service), "share", next.to, "reason", reason)
		m.tell(Event{Kind: GatewayMoved, Service: s.name, Text: fmt.Sprintf("%s: to %g of the calls: %s", cmp.Or(next.service, before.service), next.to, cmp.Or(reason, "no reason any more"))})
	}
}

// gatewayOf says to which gateway how many calls are to go, and why. Of two reasons
// that which moves more counts, and rules say to which. Off says that none is to go
// to one any more, which holds at once.
func (m *Mesh) gatewayOf(s *service, table *rule.Table) (to string, share float64, reason string, off bool) {
	to = m.options.gateway
	if to != "" && to != s.name && s.pool.View().Snapshot.State == discovery.Cold && s.trouble.Load() != nil {
		share, reason = 1, "nothing is known of the service"
	}
	if table == nil || table.Gateway == nil {
		return to, share, reason, false
	}
	switch t := table.Gateway; {
	case t.Off:
		return "", 0, "the rules switch it off", true
	case m.options.allowsGateway(t.Service):
		if to = t.Service; t.Share >= share {
			share, reason = t.Share, "the rules say so"
		}
	}
	return to, share, reason, false
}

// allowsGateway reports whether rules may name a service as a gateway.
func (o *options) allowsGateway(service string) bool {
	if service == o.gateway {
		return true
	}
	return slices.Contains(o.fallbacks, service)
}

// viaGateway makes a call one to a gateway, where its turn comes and that is
// possible. A gateway of which nothing is known yet gets no calls, but is asked for.
func (m *Mesh) viaGateway(call *Call, attempt Attempt) bool {
	g := call.plan.gateway
	c := g.course.Load()
	share, _ := c.at(balancer.Now())
	if share == 0 || call.redirected || call.Probe || call.pin != "" || share < 1 && rand.Float64() >= share {
		return false
	}
	to, err := m.lookup(c.service)
	r, ok := attempt.(Redirector)
	if err != nil || !ok || to.course.Load().view.Choice(call.Protocol) == nil || r.Redirect(c.service) != nil {
		g.counts.one(&g.counts.unmoved)
		return false
	}
	g.counts.one(&g.counts.moved)
	call.redirect()
	return true
}

// GatewayDump is where calls go instead of straight to the instances.
type GatewayDump struct {
	Service string  `json:"service,omitempty"` // of the gateways that calls went to last
	Share   float64 `json:"share"`             // of the calls, now
	Target  float64 `json:"target"`            // where that is going
	Reason  string  `json:"reason,omitempty"`
	Moved   int64   `json:"moved"`  // calls that went there
	Stayed  int64   `json:"stayed"` // that were to, and could not
}

func (s *service) dumpGateway() *GatewayDump {
	if s.gateway == nil {
		return nil
	}
	c := s.gateway.course.Load()
	if c.service == "" && s.mesh.options.gateway == "" {
		return nil // rules may name one, and did not yet
	}
	share, _ := c.at(balancer.Now())
	return &GatewayDump{Service: c.service, Share: share, Target: c.to, Reason: c.reason, Moved: s.counts.moved.Load(), Stayed: s.counts.unmoved.Load()}
}
