package rule

import "github.com/fairlead-go/fairlead/internal/document"

// What follows is the form of the document once more, as it is read. A test
// holds it to that of the structs.

func (d *decoder) policy(n *document.Node, p *Policy) {
	d.object(n, p, func(name string, v *document.Node) bool {
		switch name {
		case "apiVersion":
			d.text(v, &p.APIVersion)
		case "kind":
			d.text(v, &p.Kind)
		case "metadata":
			d.metadata(v, &p.Metadata)
		case "spec":
			d.spec(v, &p.Spec)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) metadata(n *document.Node, m *Metadata) {
	d.object(n, m, func(name string, v *document.Node) bool {
		switch name {
		case "name":
			d.text(v, &m.Name)
		case "labels":
			named(d, v, &m.Labels, (*decoder).text)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) spec(n *document.Node, s *Spec) {
	d.object(n, s, func(name string, v *document.Node) bool {
		switch name {
		case "service":
			d.text(v, &s.Service)
		case "subsets":
			each(d, v, &s.Subsets, (*decoder).subset)
		case "filters":
			each(d, v, &s.Filters, (*decoder).filter)
		case "lane":
			some(d, v, &s.Lane, (*decoder).lane)
		case "routes":
			each(d, v, &s.Routes, (*decoder).route)
		case "timeout":
			d.duration(v, &s.Timeout)
		case "retries":
			d.retries(v, &s.Retries)
		case "idempotent":
			some(d, v, &s.Idempotent, (*decoder).bool)
		case "hedge":
			some(d, v, &s.Hedge, (*decoder).hedge)
		case "priority":
			d.text(v, &s.Priority)
		case "limits":
			each(d, v, &s.Limits, (*decoder).rateLimit)
		case "concurrency":
			each(d, v, &s.Concurrency, (*decoder).concurrency)
		case "throttle":
			some(d, v, &s.Throttle, (*decoder).throttle)
		case "server":
			some(d, v, &s.Server, (*decoder).server)
		case "gateway":
			some(d, v, &s.Gateway, (*decoder).gateway)
		case "circuitBreaker":
			some(d, v, &s.CircuitBreaker, (*decoder).circuitBreaker)
		case "outcomes":
			each(d, v, &s.Outcomes, (*decoder).outcome)
		case "faultTolerance":
			d.text(v, &s.FaultTolerance)
		case "onFailure":
			some(d, v, &s.OnFailure, (*decoder).onFailure)
		case "loadBalancer":
			d.loadBalancer(v, &s.LoadBalancer)
		case "outlierDetection":
			some(d, v, &s.OutlierDetection, (*decoder).outlierDetection)
		case "healthCheck":
			some(d, v, &s.HealthCheck, (*decoder).healthCheck)
		case "telemetry":
			d.object(v, &s.Telemetry, func(name string, v *document.Node) bool {
				if name == "level" {
					d.text(v, &s.Telemetry.Level)
				}
				return name == "level"
			})
		default:
			return false
		}
		return true
	})
}

func (d *decoder) subset(n *document.Node, s *Subset) {
	d.object(n, s, func(name string, v *document.Node) bool {
		switch name {
		case "name":
			d.text(v, &s.Name)
		case "labels":
			named(d, v, &s.Labels, (*decoder).text)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) filter(n *document.Node, f *Filter) {
	d.object(n, f, func(name string, v *document.Node) bool {
		switch name {
		case "name":
			d.text(v, &f.Name)
		case "match":
			each(d, v, &f.Match, (*decoder).match)
		case "keep":
			named(d, v, &f.Keep, (*decoder).look)
		case "drop":
			named(d, v, &f.Drop, (*decoder).look)
		case "force":
			d.bool(v, &f.Force)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) lane(n *document.Node, l *Lane) {
	d.object(n, l, func(name string, v *document.Node) bool {
		switch name {
		case "label":
			d.text(v, &l.Label)
		case "key":
			d.text(v, &l.Key)
		case "force":
			d.bool(v, &l.Force)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) settings(n *document.Node, s *Settings) {
	d.object(n, s, func(name string, v *document.Node) bool {
		switch name {
		case "apiVersion":
			d.text(v, &s.APIVersion)
		case "kind":
			d.text(v, &s.Kind)
		case "metadata":
			d.metadata(v, &s.Metadata)
		case "spec":
			d.object(v, &s.Spec, func(name string, v *document.Node) bool {
				if name == "services" {
					named(d, v, &s.Spec.Services, func(d *decoder, n *document.Node, to *Switches) {
						d.object(n, to, func(name string, v *document.Node) bool { return d.switches(name, v, to) })
					})
					return true
				}
				return d.switches(name, v, &s.Spec.Switches)
			})
		default:
			return false
		}
		return true
	})
}

func (d *decoder) switches(name string, v *document.Node, s *Switches) bool {
	switch name {
	case "safeMode":
		d.bool(v, &s.SafeMode)
	case "off":
		each(d, v, &s.Off, (*decoder).text)
	default:
		return false
	}
	return true
}
