package balancer

import (
	"cmp"
	"math"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// OutlierDetection says when an instance is passed over because of how its calls
// end. Names and defaults are those of gRFC A50, which takes them from Envoy;
// ConsecutiveFailures is Envoy's consecutive_5xx, which A50 leaves out and which
// acts at once. The zero value is the default: consecutive failures only.
//
// An ejected instance gets no calls for a time that grows each time. Then one
// call is its probe: if that succeeds it is back, else it stays away for longer.
//
// An instance that refuses connections, or cannot prove who it is, is not ready:
// it is passed over at once, probed after a second, then two, then every four, and
// does not count among the ejected.
type OutlierDetection struct {
	// Off passes over nobody.
	Off bool
	// ConsecutiveFailures in a row eject at once; 0 means 5, -1 never.
	ConsecutiveFailures int
	// Interval is how often the rates below are looked at, and after which an
	// instance that did well is forgiven one ejection; 0 means 10 s. This and the
	// times below are 24 h at most.
	Interval time.Duration
	// BaseEjectionTime is multiplied by how often in a row the instance was
	// ejected; 0 means 30 s. Up to a tenth is added by chance, so that instances
	// do not come back together.
	BaseEjectionTime time.Duration
	// MaxEjectionTime bounds that; 0 means 300 s. If it is less than
	// BaseEjectionTime, that is the bound.
	MaxEjectionTime time.Duration
	// MaxEjectionPercent is how many of 100 instances may be ejected at once, and
	// at least one; 0 means 10.
	MaxEjectionPercent int

	SuccessRate       SuccessRateEjection
	FailurePercentage FailurePercentageEjection
	SlowCalls         SlowCallEjection
}

// SuccessRateEjection ejects whose share of successes is far below that of the
// others: below their mean by so many standard deviations.
type SuccessRateEjection struct {
	On bool
	// StdevFactor is a thousand times the number of standard deviations; 0 means
	// 1900.
	StdevFactor int
	// EnforcementPercentage is how likely it is that an ejection takes place; 0
	// means 100.
	EnforcementPercentage int
	// MinimumHosts is how many instances must have had RequestVolume calls within
	// the interval; 0 means 5.
	MinimumHosts int
	// RequestVolume is how many calls an instance must have had; 0 means 100.
	RequestVolume int
}

// FailurePercentageEjection ejects who fails too often.
type FailurePercentageEjection struct {
	On bool
	// Threshold is how many of 100 calls may fail; 0 means 85.
	Threshold             int
	EnforcementPercentage int // 0 means 100
	MinimumHosts          int // 0 means 5
	RequestVolume         int // 0 means 50
}

// SlowCallEjection ejects who is too slow too often. The idea is the slow call
// rate of resilience4j; the other settings are as in FailurePercentageEjection.
type SlowCallEjection struct {
	On bool
	// Duration is from when on a call is slow. It has no default.
	Duration time.Duration
	// Threshold is how many of 100 calls may be slow; 0 means 85.
	Threshold             int
	EnforcementPercentage int // 0 means 100
	MinimumHosts          int // 0 means 5
	RequestVolume         int // 0 means 50
}

// longest bounds times, so that sums and multiples of them are times, too.
const longest = 24 * time.Hour

// Validate reports a bad field as a [*discovery.FieldError].
func (o OutlierDetection) Validate() error {
	type field struct {
		name    string
		value   int
		least   int
		most    int
		allowed string
	}
	percent, count := "0 (meaning the default) to 100", "0 (meaning the default) or more"
	for _, f := range []field{
		{"ConsecutiveFailures", o.ConsecutiveFailures, -1, math.MaxInt32, "-1 (never), 0 (meaning 5) or more"},
		{"MaxEjectionPercent", o.MaxEjectionPercent, 0, 100, "0 (meaning 10) to 100"},
		{"SuccessRate.StdevFactor", o.SuccessRate.StdevFactor, 0, math.MaxInt32, count},
		{"SuccessRate.EnforcementPercentage", o.SuccessRate.EnforcementPercentage, 0, 100, percent},
		{"SuccessRate.MinimumHosts", o.SuccessRate.MinimumHosts, 0, math.MaxInt32, count},
		{"SuccessRate.RequestVolume", o.SuccessRate.RequestVolume, 0, math.MaxInt32, count},
		{"FailurePercentage.Threshold", o.FailurePercentage.Threshold, 0, 100, percent},
		{"FailurePercentage.EnforcementPercentage", o.FailurePercentage.EnforcementPercentage, 0, 100, percent},
		{"FailurePercentage.MinimumHosts", o.FailurePercentage.MinimumHosts, 0, math.MaxInt32, count},
		{"FailurePercentage.RequestVolume", o.FailurePercentage.RequestVolume, 0, math.MaxInt32, count},
		{"SlowCalls.Threshold", o.SlowCalls.Threshold, 0, 100, percent},
		{"SlowCalls.EnforcementPercentage", o.SlowCalls.EnforcementPercentage, 0, 100, percent},
		{"SlowCalls.MinimumHosts", o.SlowCalls.MinimumHosts, 0, math.MaxInt32, count},
		{"SlowCalls.RequestVolume", o.SlowCalls.RequestVolume, 0, math.MaxInt32, count},
	} {
		if f.value < f.least || f.value > f.most {
			return &discovery.FieldError{Field: "OutlierDetection." + f.name, Value: f.value, Allowed: f.allowed}
		}
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"Interval", o.Interval}, {"BaseEjectionTime", o.BaseEjectionTime}, {"MaxEjectionTime", o.MaxEjectionTime}, {"SlowCalls.Duration", o.SlowCalls.Duration},
	} {
		if f.value < 0 || f.value > longest {
			return &discovery.FieldError{Field: "OutlierDetection." + f.name, Value: f.value, Allowed: "0 (meaning the default) to " + longest.String()}
		}
	}
	if o.SlowCalls.On && o.SlowCalls.Duration == 0 {
		return &discovery.FieldError{Field: "OutlierDetection.SlowCalls.Duration", Value: time.Duration(0), Allowed: "more than 0, since it has no default"}
	}
	return nil
}

func (o OutlierDetection) withDefaults() OutlierDetection {
	o.ConsecutiveFailures = cmp.Or(o.ConsecutiveFailures, 5)
	o.Interval = cmp.Or(o.Interval, 10*time.Second)
	o.BaseEjectionTime = cmp.Or(o.BaseEjectionTime, 30*time.Second)
	o.MaxEjectionTime = max(cmp.Or(o.MaxEjectionTime, 300*time.Second), o.BaseEjectionTime)
	o.MaxEjectionPercent = cmp.Or(o.MaxEjectionPercent, 10)
	s, f, l := &o.SuccessRate, &o.FailurePercentage, &o.SlowCalls
	s.StdevFactor = cmp.Or(s.StdevFactor, 1900)
	s.EnforcementPercentage, s.MinimumHosts, s.RequestVolume = cmp.Or(s.EnforcementPercentage, 100), cmp.Or(s.MinimumHosts, 5), cmp.Or(s.RequestVolume, 100)
	f.Threshold, l.Threshold = cmp.Or(f.Threshold, 85), cmp.Or(l.Threshold, 85)
	f.EnforcementPercentage, f.MinimumHosts, f.RequestVolume = cmp.Or(f.EnforcementPercentage, 100), cmp.Or(f.MinimumHosts, 5), cmp.Or(f.RequestVolume, 50)
	l.EnforcementPercentage, l.MinimumHosts, l.RequestVolume = cmp.Or(l.EnforcementPercentage, 100), cmp.Or(l.MinimumHosts, 5), cmp.Or(l.RequestVolume, 50)
	return o
}

// counts reports whether rates are looked at.
func (o *OutlierDetection) counts() bool {
	return !o.Off && (o.SuccessRate.On || o.FailurePercentage.On || o.SlowCalls.On)
}

// mayEject is how many of so many instances may be ejected at once.
func (o *OutlierDetection) mayEject(of int) int { return max(1, of*o.MaxEjectionPercent/100) }

// time is how long the nth ejection in a row lasts. Chance is from 0 to 1.
func (o *OutlierDetection) time(n int, chance float64) time.Duration {
	d := o.MaxEjectionTime
	if n := time.Duration(n); n <= d/o.BaseEjectionTime {
		d = n * o.BaseEjectionTime
	}
	return d + time.Duration(chance*float64(d)/10)
}
