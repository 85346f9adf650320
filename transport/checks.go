package transport

import (
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// WithHealthCheck has the instances of every service that is called probed, as
// config says and by a prober: the Prober of a door, or [balancer.TCPProber]. Of
// a large service those are probed that this process calls, see [Mesh.Called].
// Without it, the default, none is. Whether an instance is well shows in
// [Mesh.Dump] and the metrics, and each change in the log; probes go to no
// address that [WithReach] does not allow. See [balancer.HealthCheck] on what it
// costs the instances. Rules may change all of config but MaxConcurrent and Jitter,
// and switch checks off, or on where they are Off.
func WithHealthCheck(config balancer.HealthCheck, prober balancer.Prober) Option {
	return func(o *options) { o.health = &health{config, prober} }
}

// health is how instances are to be probed.
type health struct {
	config balancer.HealthCheck
	prober balancer.Prober
}

func (o *options) validateHealth() error {
	_, err := o.health.checker()
	return err
}

// checker returns a checker for one service, nil if nobody is to be probed.
func (h *health) checker() (*balancer.Checker, error) {
	if h == nil {
		return nil, nil
	}
	return balancer.NewChecker(h.config, h.prober)
}

// check probes the instances of a service until the mesh ends, which owns its
// goroutine and those of the probes.
func (m *Mesh) check(s *service) {
	ctx := balancer.WithSocketCheck(m.ctx, func(network, address string) error { return m.CheckSocket(s.name, network, address) })
	s.checker.Run(ctx, s.probed, s.verdict)
}

// probed returns who is to be probed. It is asked at least once a second, which
// is when something is said of the verdicts that are not in the log.
func (s *service) probed() []*balancer.Node {
	if untold := s.verdicts.rest(balancer.Now()); untold > 0 {
		s.mesh.logger.Warn("fairlead: health checks changed their verdict on more instances than were named", "service", s.name,
			"unnamed", untold, "unwell", s.unwell())
	}
	return s.course.Load().calledAtAll()
}

// verdict takes note that the verdict of the checks on an instance has changed.
func (s *service) verdict(n *balancer.Node, healthy bool, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.checker.Config().Off { // meanwhile
		return
	}
	now := balancer.Now()
	before := s.pool.View()
	view := s.pool.Judge(n, healthy, now)
	if view != before {
		s.mesh.turnLocked(s, before, view)
	}
	if healthy {
		s.counts.one(&s.counts.recovered)
	} else {
		s.counts.one(&s.counts.sickened)
	}
	if !s.verdicts.allow(now) {
		return
	}
	if healthy {
		s.mesh.logger.Info("fairlead: an instance passes its health checks again", "service", s.name,
			"instance", n.ID(), "unwell", s.unwell())
		return
	}
	s.mesh.logger.Warn("fairlead: an instance fails its health checks", "service", s.name,
		"instance", n.ID(), "unwell", s.unwell(), "error", cause)
}

// unwell counts the instances that fail their health checks, of those that are
// probed.
func (s *service) unwell() (count int) {
	for _, n := range s.course.Load().calledAtAll() {
		if n.Unwell() {
			count++
		}
	}
	return count
}

// HealthDump is what health checks showed of a service.
type HealthDump struct {
	Unwell int             `json:"unwell"` // instances that fail them, of those that are probed
	Probes balancer.Probes `json:"probes"`
	// Off says that nobody is probed at present. The rest is what is in force, see
	// [balancer.HealthCheck]; the thresholds are its Fall and Rise.
	Off                bool          `json:"off,omitempty"`
	Interval           time.Duration `json:"intervalNs"`
	Timeout            time.Duration `json:"timeoutNs"`
	UnhealthyThreshold int           `json:"unhealthyThreshold"`
	HealthyThreshold   int           `json:"healthyThreshold"`
}

// dumpHealth returns nil if there are no checks.
func (s *service) dumpHealth() *HealthDump {
	if s.checker == nil {
		return nil
	}
	c := s.checker.Config()
	return &HealthDump{
		Unwell: s.unwell(), Probes: s.checker.Probes(),
		Off: c.Off, Interval: c.Interval, Timeout: c.Timeout, UnhealthyThreshold: c.Fall, HealthyThreshold: c.Rise,
	}
}
