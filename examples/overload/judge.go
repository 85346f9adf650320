package main

import "fmt"

// step is a verdict.
type step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	// Figures are those of the run that is judged, where it is told of first.
	Figures *figures `json:"figures,omitempty"`
}

// What limits promise.
const (
	leastGoodput  = 0.8
	leastCritical = 0.99
	leastCalm     = 0.99
	mostSeconds   = 5.0
	leastCalls    = 0.8 // of those that were to be made: with fewer nothing is shown
)

// planned is how many calls the flood is to have.
func planned() float64 {
	return phases[flood].load * float64(capacity) * phases[flood].long.Seconds()
}

func (f *figures) recovered() string {
	if f.Recovered == nil {
		return fmt.Sprintf("not within %s", phases[after].long)
	}
	return fmt.Sprintf("after %.1f s", *f.Recovered)
}

// collapsed judges the run without limits: had it kept what limits promise, the
// verdicts on the other one would say nothing. What it makes of a machine may leave no room for
// all of its calls.
func collapsed(f figures) step {
	keeps := f.Goodput >= leastGoodput && f.Critical >= leastCritical && f.Recovered != nil && *f.Recovered <= mostSeconds
	return step{Name: "without", OK: !keeps && float64(f.Calls) >= planned()/4, Figures: &f, Detail: fmt.Sprintf(
		"%.0f %% of the capacity was of use, %.1f %% of critical calls were answered, %d calls in hand; normal %s", 100*f.Goodput, 100*f.Critical, f.InHand, f.recovered())}
}

// judge judges the run with limits.
func judge(f figures) []step {
	all := []step{{Name: "with", OK: float64(f.Calls) >= leastCalls*planned(), Figures: &f,
		Detail: fmt.Sprintf("%d calls in %s of ten times the load: %d not sent, %d refused by servers, %d late, %d failed otherwise", f.Calls, phases[flood].long, f.Withheld, f.Refused, f.Late, f.Broken)}}
	say := func(name string, ok bool, format string, args ...any) {
		all = append(all, step{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
	}
	say("calm", f.Calm >= leastCalm, "%.1f %% of all calls were answered before; 99 %% or more, for there was room for twice as many", 100*f.Calm)
	say("goodput", f.Goodput >= leastGoodput, "%.0f %% of the capacity was of use; 80 %% or more", 100*f.Goodput)
	say("critical", f.Critical >= leastCritical, "%.1f %% of critical calls were answered; 99 %% or more", 100*f.Critical)
	say("shed", f.Critical >= f.Default && f.Default >= f.Sheddable && f.Sheddable < 0.5, "%.0f %% of default calls were answered and %.0f %% of sheddable ones, which go first", 100*f.Default, 100*f.Sheddable)
	tenth := 1000 * f.CalmP99 / 10 // of what an answer takes, in microseconds
	say("withheld", f.Withheld > f.Calls/4 && f.WithheldP50 < tenth, "a call that is not sent costs %.0f µs, p99 %.0f µs; an answer takes %.0f ms", f.WithheldP50, f.WithheldP99, f.CalmP99)
	say("queue", f.InHand <= 10*servers*workers, "%d calls in hand at most, for %d workers", f.InHand, servers*workers)
	say("pressure", f.Pressure > 0.9 && f.Relief < f.Pressure, "the application read a pressure of %.2f, and %.2f in the end; servers left out of %d answers what is optional", f.Pressure, f.Relief, f.Short)
	say("recovery", f.Recovered != nil && *f.Recovered <= mostSeconds, "p99 and success were normal %s; within %.0f s", f.recovered(), mostSeconds)
	return all
}

func good(all []step) bool {
	for _, v := range all {
		if !v.OK {
			return false
		}
	}
	return true
}
