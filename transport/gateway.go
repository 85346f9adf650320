package transport

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// WithGateway names a service of shared gateways, through which calls go where an
// operator says so in the section gateway of a service's rules, or where this
// process knows nothing of a service: the registry cannot be heard, and there is no
// list on disk. Both move the calls by steps, a tenth, a quarter, half, and all of
// what is asked for, each two seconds, and back the same way, after ten seconds in
// which there was no reason any more. Who the gateways are must be known by another
// way then, see [discovery.Composite]. They are told by [Call.Origin] for whom a
// call is. The default is none.
func WithGateway(service string) Option { return func(o *options) { o.gateway = service } }

// The steps by which calls move to gateways and back.
var gatewaySteps = [...]float64{0, 0.1, 0.25, 0.5, 1}

const (
	gatewayStep = 2 * time.Second  // from one step to the next
	gatewayHold = 10 * time.Second // before the first step back
)

// gateway is where the calls of a service go instead of straight to its instances,
// and how many of them.
type gateway struct {
	service string
	moved   *atomic.Int64 // calls that went there
	stayed  *atomic.Int64 // that were to, and could not
	course  atomic.Pointer[gatewayCourse]
}

// gatewayCourse is how a share of calls moves from one value to another. Where it
// is at a moment follows from the time alone, so that nothing runs for it.
type gatewayCourse struct {
	from, to float64
	since    time.Duration // when it begins to move
	reason   string        // "" where there is none to go there
}

// at returns the share at a moment.
func (c *gatewayCourse) at(now time.Duration) float64 {
	if c == nil || c.from == c.to {
		return c.share()
	}
	if now < c.since {
		return c.from
	}
	n := int((now-c.since)/gatewayStep) + 1
	if c.to > c.from {
		for _, step := range gatewaySteps {
			if share := step * c.to; share > c.from {
				if n--; n == 0 {
					return share
				}
			}
		}
		return c.to
	}
	for i := len(gatewaySteps) - 1; i >= 0; i-- {
		if share := max(gatewaySteps[i]*c.from, c.to); share < c.from {
			if n--; n == 0 {
				return share
			}
		}
	}
	return c.to
}

func (c *gatewayCourse) share() float64 {
	if c == nil {
		return 0
	}
	return c.to
}

// aim has calls move to another share, from where they are. It is called under
// service.mu.
func (g *gateway) aim(to float64, reason string, now time.Duration) (changed bool) {
	before := g.course.Load()
	if before.share() == to && (before == nil) == (to == 0) && (before == nil || before.reason == reason) {
		return false
	}
	next := &gatewayCourse{from: before.at(now), to: to, since: now, reason: reason}
	if to < next.from && reason == "" {
		next.since += gatewayHold
	}
	g.course.Store(next)
	return before.share() != to
}

// gatewayLocked makes up where the calls of a service go, as rules, code and what is
// known of the service have it.
func (m *Mesh) gatewayLocked(s *service, table *rule.Table) {
	r, name, share, reason := &s.ruling, m.options.gateway, 0.0, ""
	if v := s.pool.View(); name != "" && v.Snapshot.State == discovery.Cold && s.trouble.Load() != nil {
		share, reason = 1, "nothing is known of the service"
	}
	if table != nil && table.Gateway != nil {
		switch t := table.Gateway; {
		case t.Off:
			share, reason = 0, ""
		case m.options.allowsGateway(t.Service):
			if name = t.Service; t.Share >= share {
				share, reason = t.Share, "the rules say so"
			}
		}
	}
	if name == s.name {
		name = ""
	}
	switch {
	case name == "" && r.gateway == nil:
		return
	case r.gateway == nil || name != "" && r.gateway.service != name:
		before := r.gateway
		r.gateway = &gateway{service: name, moved: &s.counts.moved, stayed: &s.counts.unmoved}
		if before != nil { // calls go on to a gateway, be it another
			r.gateway.course.Store(before.course.Load())
		}
	}
	if r.gateway.aim(share, reason, balancer.Now()) {
		m.logger.Warn("fairlead: calls move to or from a gateway", "service", s.name, "gateway", r.gateway.service, "share", share, "reason", reason)
		m.tell(Event{Kind: GatewayMoved, Service: s.name, Text: r.gateway.service + ": " + reason})
	}
}

// allowsGateway reports whether rules may name a service as a gateway.
func (o *options) allowsGateway(service string) bool {
	if service == o.gateway {
		return true
	}
	for _, name := range o.fallbacks {
		if name == service {
			return true
		}
	}
	return false
}

// viaGateway makes a call one to a gateway, where its turn comes and that is
// possible. A gateway of which nothing is known yet gets no calls, but is asked for.
func (m *Mesh) viaGateway(call *Call, attempt Attempt) bool {
	g := call.plan.gateway
	share := g.course.Load().at(balancer.Now())
	if share == 0 || call.redirected || call.Probe || call.pin != "" || share < 1 && rand.Float64() >= share {
		return false
	}
	to, err := m.lookup(g.service)
	sub, ok := attempt.(Redirector)
	if err != nil || !ok || to.course.Load().view.Choice(call.Protocol) == nil || sub.Redirect(g.service) != nil {
		g.stayed.Add(1)
		return false
	}
	g.moved.Add(1)
	call.redirect()
	return true
}

// GatewayDump is where calls go instead of straight to the instances.
type GatewayDump struct {
	Service string  `json:"service"`
	Share   float64 `json:"share"`  // of the calls, now
	Target  float64 `json:"target"` // where that is going
	Reason  string  `json:"reason,omitempty"`
	Moved   int64   `json:"moved"`  // calls that went there
	Stayed  int64   `json:"stayed"` // that were to, and could not
}

func (s *service) dumpGateway() *GatewayDump {
	g := s.course.Load().plans.of(nil).gateway
	if g == nil {
		return nil
	}
	c := g.course.Load()
	d := &GatewayDump{Service: g.service, Share: c.at(balancer.Now()), Target: c.share(), Moved: g.moved.Load(), Stayed: g.stayed.Load()}
	if c != nil {
		d.Reason = c.reason
	}
	return d
}
