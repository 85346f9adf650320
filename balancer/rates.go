package balancer

import (
	"math"
	"time"
)

// look ejects those whose rates stand out, of so many that are called. Where this
// process was short of CPU meanwhile they say nothing.
func (j *judge) look(nodes []*Node, of int, now time.Duration) (changed bool) {
	if !j.OutlierDetection.counts() {
		return false
	}
	volumes := make(map[*Node]volume, len(nodes))
	for _, n := range nodes {
		if t := n.tally.Load(); t != nil {
			volumes[n] = t.take()
		}
	}
	if j.starved {
		j.starved = false
		return false
	}
	eject := func(n *Node, reason Reason, enforcement int) {
		if (n.outage == nil || n.outage.reason == 0) && 100*j.chance() < float64(enforcement) {
			changed = j.eject(n, reason, of, now) || changed
		}
	}
	if s := j.SuccessRate; s.On {
		for _, n := range lowSuccess(nodes, volumes, s) {
			eject(n, LowSuccessRate, s.EnforcementPercentage)
		}
	}
	if f := j.FailurePercentage; f.On {
		failed := func(v volume) int { return v.failed }
		for _, n := range above(nodes, volumes, failed, f.Threshold, f.MinimumHosts, f.RequestVolume) {
			eject(n, HighFailurePercentage, f.EnforcementPercentage)
		}
	}
	if s := j.SlowCalls; s.On {
		slow := func(v volume) int { return v.slow }
		for _, n := range above(nodes, volumes, slow, s.Threshold, s.MinimumHosts, s.RequestVolume) {
			eject(n, SlowCalls, s.EnforcementPercentage)
		}
	}
	return changed
}

// judged returns the nodes that had enough calls, none if they are too few.
func judged(nodes []*Node, volumes map[*Node]volume, hosts, calls int) []*Node {
	some := who(nodes, func(n *Node) bool { return volumes[n].calls >= max(calls, 1) })
	if len(some) < hosts {
		return nil
	}
	return some
}

// lowSuccess returns the nodes whose share of successes is below the mean of all
// by more than so many standard deviations.
func lowSuccess(nodes []*Node, volumes map[*Node]volume, s SuccessRateEjection) []*Node {
	some := judged(nodes, volumes, s.MinimumHosts, s.RequestVolume)
	if len(some) == 0 {
		return nil
	}
	rate := func(n *Node) float64 {
		v := volumes[n]
		return float64(v.calls-v.failed) / float64(v.calls)
	}
	mean, variance := 0.0, 0.0
	for _, n := range some {
		mean += rate(n) / float64(len(some))
	}
	for _, n := range some {
		variance += (rate(n) - mean) * (rate(n) - mean) / float64(len(some))
	}
	bound := mean - math.Sqrt(variance)*float64(s.StdevFactor)/1000
	return who(some, func(n *Node) bool { return rate(n) < bound })
}

// above returns the nodes of whose calls more than so many of 100 are counted.
func above(nodes []*Node, volumes map[*Node]volume, of func(volume) int, percent, hosts, calls int) []*Node {
	return who(judged(nodes, volumes, hosts, calls), func(n *Node) bool {
		v := volumes[n]
		return of(v)*100 > percent*v.calls
	})
}
