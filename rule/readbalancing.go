package rule

import "github.com/fairlead-go/fairlead/internal/document"

func (d *decoder) loadBalancer(n *document.Node, l *LoadBalancer) {
	d.object(n, l, func(name string, v *document.Node) bool {
		switch name {
		case "algorithm":
			d.text(v, &l.Algorithm)
		case "hashOn":
			d.text(v, &l.HashOn)
		case "panicThreshold":
			d.percent(v, &l.PanicThreshold)
		case "slowStart":
			some(d, v, &l.SlowStart, (*decoder).slowStart)
		case "localityPreference":
			d.text(v, &l.LocalityPreference)
		case "priorities":
			each(d, v, &l.Priorities, (*decoder).subset)
		case "subsetSize":
			d.int(v, &l.SubsetSize)
		case "selectionMethod":
			d.text(v, &l.SelectionMethod)
		case "hashBalanceFactor":
			d.int(v, &l.HashBalanceFactor)
		case "reportedWeights":
			some(d, v, &l.ReportedWeights, (*decoder).reportedWeights)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) slowStart(n *document.Node, s *SlowStart) {
	d.object(n, s, func(name string, v *document.Node) bool {
		switch name {
		case "off":
			d.bool(v, &s.Off)
		case "window":
			d.duration(v, &s.Window)
		case "minWeightPercent":
			d.int(v, &s.MinWeightPercent)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) reportedWeights(n *document.Node, w *ReportedWeights) {
	d.object(n, w, func(name string, v *document.Node) bool {
		switch name {
		case "off":
			d.bool(v, &w.Off)
		case "blackoutPeriod":
			d.duration(v, &w.BlackoutPeriod)
		case "weightExpirationPeriod":
			d.duration(v, &w.WeightExpirationPeriod)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) outlierDetection(n *document.Node, o *OutlierDetection) {
	d.object(n, o, func(name string, v *document.Node) bool {
		switch name {
		case "off":
			d.bool(v, &o.Off)
		case "consecutiveFailures":
			d.int(v, &o.ConsecutiveFailures)
		case "interval":
			d.duration(v, &o.Interval)
		case "baseEjectionTime":
			d.duration(v, &o.BaseEjectionTime)
		case "maxEjectionTime":
			d.duration(v, &o.MaxEjectionTime)
		case "maxEjectionPercent":
			d.int(v, &o.MaxEjectionPercent)
		case "successRateEjection":
			some(d, v, &o.SuccessRateEjection, (*decoder).successRateEjection)
		case "failurePercentageEjection":
			some(d, v, &o.FailurePercentageEjection, (*decoder).failurePercentageEjection)
		case "slowCallEjection":
			some(d, v, &o.SlowCallEjection, (*decoder).slowCallEjection)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) successRateEjection(n *document.Node, r *SuccessRateEjection) {
	d.object(n, r, func(name string, v *document.Node) bool {
		if name == "stdevFactor" {
			d.int(v, &r.StdevFactor)
			return true
		}
		return d.rate(name, v, &r.Off, nil, &r.EnforcementPercentage, &r.MinimumHosts, &r.RequestVolume)
	})
}

func (d *decoder) failurePercentageEjection(n *document.Node, r *FailurePercentageEjection) {
	d.object(n, r, func(name string, v *document.Node) bool {
		return d.rate(name, v, &r.Off, &r.Threshold, &r.EnforcementPercentage, &r.MinimumHosts, &r.RequestVolume)
	})
}

func (d *decoder) slowCallEjection(n *document.Node, r *SlowCallEjection) {
	d.object(n, r, func(name string, v *document.Node) bool {
		if name == "duration" {
			d.duration(v, &r.Duration)
			return true
		}
		return d.rate(name, v, &r.Off, &r.Threshold, &r.EnforcementPercentage, &r.MinimumHosts, &r.RequestVolume)
	})
}

// rate reads what the ejections by a rate have in common. The threshold may be
// nil, where there is none.
func (d *decoder) rate(name string, v *document.Node, off *bool, threshold, enforcement, hosts, volume *int) bool {
	switch {
	case name == "off":
		d.bool(v, off)
	case name == "threshold" && threshold != nil:
		d.int(v, threshold)
	case name == "enforcementPercentage":
		d.int(v, enforcement)
	case name == "minimumHosts":
		d.int(v, hosts)
	case name == "requestVolume":
		d.int(v, volume)
	default:
		return false
	}
	return true
}
