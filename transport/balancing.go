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
	b.Policy = policyOf(l.Algorithm, code.Policy)
	if l.PanicThreshold != 0 {
		b.PanicThreshold = l.PanicThreshold.Of()
	}
	if s := l.SlowStart; s != nil {
		b.SlowStart.Off = s.Off
		b.SlowStart.Window = said(s.Window, code.SlowStart.Window)
		b.SlowStart.MinWeightPercent = cmp.Or(s.MinWeightPercent, code.SlowStart.MinWeightPercent)
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
	if r := o.SuccessRateEjection; r != nil {
		d.SuccessRate = balancer.SuccessRateEjection{On: true, StdevFactor: r.StdevFactor,
			EnforcementPercentage: r.EnforcementPercentage, MinimumHosts: r.MinimumHosts, RequestVolume: r.RequestVolume}
	}
	if r := o.FailurePercentageEjection; r != nil {
		d.FailurePercentage = balancer.FailurePercentageEjection{On: true, Threshold: r.Threshold,
			EnforcementPercentage: r.EnforcementPercentage, MinimumHosts: r.MinimumHosts, RequestVolume: r.RequestVolume}
	}
	if r := o.SlowCallEjection; r != nil {
		d.SlowCalls = balancer.SlowCallEjection{On: true, Duration: time.Duration(r.Duration), Threshold: r.Threshold,
			EnforcementPercentage: r.EnforcementPercentage, MinimumHosts: r.MinimumHosts, RequestVolume: r.RequestVolume}
	}
	return d
}

// said is what a document says, or else what code does.
func said(document rule.Duration, code time.Duration) time.Duration {
	return cmp.Or(time.Duration(document), code)
}

// policyOf is the policy of a name that a document may have; empty: what code
// set.
func policyOf(name string, code balancer.Policy) balancer.Policy {
	switch name {
	case "round-robin":
		return balancer.RoundRobin{}
	case "random":
		return balancer.Random{}
	case "weighted-round-robin":
		return balancer.WeightedRoundRobin{}
	case "smooth-weighted":
		return balancer.SmoothWeighted{}
	case "ring-hash":
		return balancer.RingHash{}
	case "maglev":
		return balancer.Maglev{}
	case "least-request":
		return balancer.LeastRequest{}
	case "p2c-ewma":
		return balancer.P2CEWMA{}
	}
	return code
}
