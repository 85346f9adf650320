package transport

import (
	"cmp"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
)

// balancingOf is how the instances of a service are chosen: as a document says,
// and where it says nothing, as code does.
func balancingOf(spec *rule.Spec, code balancer.Balancing) balancer.Balancing {
	b, l := code, spec.LoadBalancer
	b.Policy = policyOf(&l, code.Policy)
	if l.PanicThreshold != 0 {
		b.PanicThreshold = l.PanicThreshold.Of()
	}
	if s := l.SlowStart; s != nil {
		b.SlowStart.Off = s.Off
		b.SlowStart.Window = said(s.Window, code.SlowStart.Window)
		b.SlowStart.MinWeightPercent = cmp.Or(s.MinWeightPercent, code.SlowStart.MinWeightPercent)
	}
	switch l.LocalityPreference {
	case "zone":
		b.Locality.Prefer = balancer.PreferZone
	case "region":
		b.Locality.Prefer = balancer.PreferRegion
	case "none":
		b.Locality.Prefer = balancer.PreferNone
	}
	if l.Priorities != nil {
		b.Tiers = make([]balancer.Tier, len(l.Priorities))
		for n, p := range l.Priorities {
			b.Tiers[n] = balancer.Tier{Name: p.Name, Labels: p.Labels}
		}
	}
	if l.SubsetSize != 0 {
		b.Subset.Off, b.Subset.Size = l.SubsetSize < 0, max(0, l.SubsetSize)
	}
	if o := spec.OutlierDetection; o != nil {
		b.OutlierDetection = outlierDetectionOf(o, code.OutlierDetection)
	}
	return b
}

func outlierDetectionOf(o *rule.OutlierDetection, code balancer.OutlierDetection) balancer.OutlierDetection {
	d := code
	d.Off = o.Off
	d.ConsecutiveFailures = cmp.Or(o.ConsecutiveFailures, code.ConsecutiveFailures)
	d.Interval = said(o.Interval, code.Interval)
	d.BaseEjectionTime = said(o.BaseEjectionTime, code.BaseEjectionTime)
	d.MaxEjectionTime = said(o.MaxEjectionTime, code.MaxEjectionTime)
	d.MaxEjectionPercent = cmp.Or(o.MaxEjectionPercent, code.MaxEjectionPercent)
	if r, s := o.SuccessRateEjection, &d.SuccessRate; r != nil {
		s.On = !r.Off
		s.StdevFactor = cmp.Or(r.StdevFactor, s.StdevFactor)
		s.EnforcementPercentage = cmp.Or(r.EnforcementPercentage, s.EnforcementPercentage)
		s.MinimumHosts = cmp.Or(r.MinimumHosts, s.MinimumHosts)
		s.RequestVolume = cmp.Or(r.RequestVolume, s.RequestVolume)
	}
	if r, f := o.FailurePercentageEjection, &d.FailurePercentage; r != nil {
		f.On = !r.Off
		f.Threshold = cmp.Or(r.Threshold, f.Threshold)
		f.EnforcementPercentage = cmp.Or(r.EnforcementPercentage, f.EnforcementPercentage)
		f.MinimumHosts = cmp.Or(r.MinimumHosts, f.MinimumHosts)
		f.RequestVolume = cmp.Or(r.RequestVolume, f.RequestVolume)
	}
	if r, l := o.SlowCallEjection, &d.SlowCalls; r != nil {
		l.On = !r.Off
		l.Duration = said(r.Duration, l.Duration)
		l.Threshold = cmp.Or(r.Threshold, l.Threshold)
		l.EnforcementPercentage = cmp.Or(r.EnforcementPercentage, l.EnforcementPercentage)
		l.MinimumHosts = cmp.Or(r.MinimumHosts, l.MinimumHosts)
		l.RequestVolume = cmp.Or(r.RequestVolume, l.RequestVolume)
	}
	return d
}

// said is what a document says, or else what code does.
func said(document rule.Duration, code time.Duration) time.Duration {
	return cmp.Or(time.Duration(document), code)
}

// policyOf is the policy that a document asks for; where it names none, that
// which code set. Of the settings of a policy, code's are those that the document
// does not mention.
func policyOf(l *rule.LoadBalancer, code balancer.Policy) balancer.Policy {
	switch l.Algorithm {
	case "round-robin":
		return balancer.RoundRobin{}
	case "random":
		return balancer.Random{}
	case "weighted-round-robin":
		p, _ := code.(balancer.WeightedRoundRobin)
		if w := l.ReportedWeights; w != nil {
			p.Reported = !w.Off
			p.BlackoutPeriod = said(w.BlackoutPeriod, p.BlackoutPeriod)
			p.WeightExpirationPeriod = said(w.WeightExpirationPeriod, p.WeightExpirationPeriod)
		}
		return p
	case "smooth-weighted":
		return balancer.SmoothWeighted{}
	case "ring-hash":
		p, _ := code.(balancer.RingHash)
		p.BalanceFactor = balanceFactorOf(l, p.BalanceFactor)
		return p
	case "maglev":
		p, _ := code.(balancer.Maglev)
		p.BalanceFactor = balanceFactorOf(l, p.BalanceFactor)
		return p
	case "prequal":
		p, _ := code.(balancer.Prequal)
		return p
	case "least-request":
		p, _ := code.(balancer.LeastRequest)
		if l.SelectionMethod != "" {
			p.FullScan = l.SelectionMethod == "full-scan"
		}
		return p
	case "p2c-ewma":
		return balancer.P2CEWMA{}
	}
	return code
}

// balanceFactorOf is a bound that a document gives in percent, 0 where it wants
// none.
func balanceFactorOf(l *rule.LoadBalancer, code float64) float64 {
	switch f := l.HashBalanceFactor; {
	case f == 0:
		return code
	case f < 0:
		return 0
	default:
		return float64(f) / 100
	}
}
