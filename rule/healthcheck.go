package rule

import "github.com/fairlead-go/fairlead/internal/document"

// HealthCheck says how often instances are probed, and what that makes of them,
// in Envoy's words. What is not said is as code said. It is code that says by
// what they are probed; where it says nothing, nobody is.
type HealthCheck struct {
	// Off: nobody is probed, and nobody is passed over for what probes found.
	Off bool `json:"off,omitempty"`
	// Interval is how long it is from one probe of an instance to the next.
	Interval Duration `json:"interval,omitzero"`
	// Timeout is how long a probe may take.
	Timeout Duration `json:"timeout,omitzero"`
	// UnhealthyThreshold is how many failures in a row make an instance unwell.
	UnhealthyThreshold int `json:"unhealthyThreshold,omitempty"`
	// HealthyThreshold is how many successes in a row make it well again.
	HealthyThreshold int `json:"healthyThreshold,omitempty"`
}

func (d *decoder) healthCheck(n *document.Node, h *HealthCheck) {
	d.object(n, h, func(name string, v *document.Node) bool {
		switch name {
		case "off":
			d.bool(v, &h.Off)
		case "interval":
			d.duration(v, &h.Interval)
		case "timeout":
			d.duration(v, &h.Timeout)
		case "unhealthyThreshold":
			d.int(v, &h.UnhealthyThreshold)
		case "healthyThreshold":
			d.int(v, &h.HealthyThreshold)
		default:
			return false
		}
		return true
	})
}

func (c *checker) healthCheck(h *HealthCheck) {
	c.field("healthCheck")
	if h.Interval != 0 {
		c.between("interval", h.Interval, MinInterval, MaxTimeout)
	}
	c.timeout("timeout", h.Timeout)
	c.whole("unhealthyThreshold", h.UnhealthyThreshold, 0, mostProbes)
	c.whole("healthyThreshold", h.HealthyThreshold, 0, mostProbes)
	c.back()
}

// mostProbes bounds thresholds.
const mostProbes = 100
