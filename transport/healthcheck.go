package transport

import (
	"cmp"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
)

// healthCheckOf is how often instances are probed: as a document says, and where
// it says nothing, as code does.
func healthCheckOf(asked *rule.HealthCheck, code balancer.HealthCheck) balancer.HealthCheck {
	if asked == nil {
		return code
	}
	h := code
	h.Off = asked.Off
	h.Interval = said(asked.Interval, code.Interval)
	h.Timeout = said(asked.Timeout, code.Timeout)
	h.Fall = cmp.Or(asked.UnhealthyThreshold, code.Fall)
	h.Rise = cmp.Or(asked.HealthyThreshold, code.Rise)
	return h
}

// checkLocked has the instances of a service probed as a document asks, where
// code says by what.
func (m *Mesh) checkLocked(s *service, asked *rule.HealthCheck) {
	if s.checker == nil {
		return
	}
	config := healthCheckOf(asked, m.options.health.config)
	if err := s.checker.Configure(config); err != nil { // cannot be: it was validated
		m.logger.Error("fairlead: rules cannot be applied", "service", s.name, "error", err)
	}
	if config.Off {
		s.pool.Acquit(balancer.Now())
	}
}
