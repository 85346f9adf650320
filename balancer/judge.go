package balancer

import (
	"math"
	"slices"
	"time"
)

// judge applies an [OutlierDetection] to the nodes of a pool, under its lock.
type judge struct {
	OutlierDetection
	compares bool // what calls cost at different places
	inbox    *inbox
	known    []*Node // that are passed over, or have something to be forgiven
	due      time.Duration
	starved  bool // since rates were looked at last
	// counts is how many were passed over so far, by reason.
	counts Ejections
	seed   uint64
	drawn  uint64 // numbers so far
}

// configure makes the judge go by o, which has its defaults, from now on.
func (j *judge) configure(o OutlierDetection, compares bool, members []*Node, now time.Duration) {
	before, compared := j.OutlierDetection, j.compares
	j.OutlierDetection, j.compares = o, compares
	// Changes that come faster than the interval must not put off its end.
	if due := now + o.Interval; before.Interval == 0 || due < j.due {
		j.due = due
	}
	enough := uint32(math.MaxUint32)
	if !o.Off && o.ConsecutiveFailures > 0 {
		enough = uint32(o.ConsecutiveFailures)
	}
	j.inbox.enough.Store(enough)
	j.inbox.off.Store(o.Off)
	if o.counts() != before.counts() || compares != compared || o.SlowCalls.Duration != before.SlowCalls.Duration {
		for _, n := range members {
			j.welcome(n)
		}
	}
	if o.Off {
		j.known = slices.DeleteFunc(j.known, func(n *Node) bool {
			return n.outage.reason != FailedHealthCheck && j.forget(n, now)
		})
	}
}

// welcome makes the calls of a node be counted, where that is of use.
func (j *judge) welcome(n *Node) {
	if !j.OutlierDetection.counts() && !j.compares {
		n.tally.Store(nil)
	} else {
		n.tally.Store(newTally(j.SlowCalls.Duration, n.tally.Load()))
	}
	n.watch()
}

// watch sets whether somebody wants to hear of the node's successes.
func (n *Node) watch() {
	if n.tally.Load() != nil || n.probe.Load() != 0 {
		n.failing.Or(watched)
	} else {
		n.failing.And(^uint32(watched))
	}
}

// review judges by all that came in since the last time, of the nodes that can
// be called; calls go to so many of them. It reports whether others are passed over now, or wait for a
// probe, and returns those that are back from an ejection.
func (j *judge) review(nodes []*Node, of int, now time.Duration) (changed bool, back []*Node) {
	for _, n := range j.inbox.take() {
		signals := n.signals.Swap(0)
		if j.Off || n.standing >= missed {
			continue
		}
		ejected := n.outage != nil && n.outage.reason.ejection()
		c, readmitted := j.hear(n, signals, of, now)
		if changed = changed || c; readmitted && ejected {
			back = append(back, n)
		}
	}
	for _, n := range j.known {
		if o := n.outage; o.reason != 0 && now >= o.until && n.probe.Load() == 0 {
			n.probe.Store(wanted)
			n.watch()
			changed = true
		}
	}
	if now >= j.due {
		j.due = now + j.Interval
		changed = j.look(nodes, of, now) || changed
		j.forgive(now)
	}
	return changed, back
}

// hear judges one of so many nodes by its signals.
func (j *judge) hear(n *Node, signals uint32, of int, now time.Duration) (changed, readmitted bool) {
	away := n.outage != nil && n.outage.reason != 0
	switch {
	case away && signals&proved != 0:
		return true, j.readmit(n, now)
	case away && signals&disproved != 0:
		j.renew(n, now)
		return true, false
	case away:
		return false, false // these are late
	case signals&mistrusted != 0:
		j.turnAway(n, TLS, now)
	case signals&refused != 0:
		j.turnAway(n, ConnectionRefused, now)
	case signals&streaked != 0:
		return j.eject(n, ConsecutiveFailures, of, now), false
	default:
		return false, false
	}
	return true, false
}

// eject passes one of so many nodes over, as long as not too many are.
func (j *judge) eject(n *Node, reason Reason, of int, now time.Duration) bool {
	if n.standing >= missed || j.ejected()+1 > j.mayEject(of) {
		return false
	}
	o := j.begin(n, reason, now)
	o.ejections++
	o.until = now + j.time(o.ejections, j.chance())
	return true
}

// turnAway passes a node over that cannot be reached.
func (j *judge) turnAway(n *Node, reason Reason, now time.Duration) {
	o := j.begin(n, reason, now)
	o.refusals++
	o.until = now + afterRefusal(o.refusals)
}

// chance draws a number from 0 to 1.
func (j *judge) chance() float64 {
	j.drawn++
	return float64(mix(j.seed+j.drawn)>>11) / (1 << 53)
}

func (j *judge) begin(n *Node, reason Reason, now time.Duration) *outage {
	if n.outage == nil {
		n.outage = new(outage)
		j.known = append(j.known, n)
	}
	n.outage.reason, n.outage.since = reason, now
	j.counts[reason]++
	return n.outage
}

// afterRefusal is how long a node is left alone that refused for the nth time
// in a row: as Finagle's fail fast begins, but for four seconds at most. It
// costs little to try, and who is dead is soon off the list.
func afterRefusal(n int) time.Duration { return time.Second << min(n-1, 2) }

// renew passes a node over for longer, whose probe failed.
func (j *judge) renew(n *Node, now time.Duration) {
	o := n.outage
	if o.reason.unready() {
		o.refusals++
		o.until = now + afterRefusal(o.refusals)
	} else {
		o.ejections++
		o.until = now + j.time(o.ejections, j.chance())
	}
	n.probe.Store(0)
	n.watch()
}

// readmit ends that a node is passed over, unless checks still say that it is
// not well, and reports whether it is back. Its ejections are not forgiven yet.
func (j *judge) readmit(n *Node, now time.Duration) (back bool) {
	n.outage.reason, n.outage.refusals = 0, 0
	n.streak.Store(0)
	n.probe.Store(0)
	n.watch()
	if n.Unwell() {
		j.begin(n, FailedHealthCheck, now).until = never
		return false
	}
	return true
}

// never is when a node is probed by a call whose checks fail.
const never = time.Duration(math.MaxInt64)

// forget readmits a node and forgives all. It reports whether the node is not
// passed over any more.
func (j *judge) forget(n *Node, now time.Duration) bool {
	back := j.readmit(n, now)
	if back {
		n.outage = nil
	}
	return back
}

// sentence is what active checks make of a node. They readmit whom calls
// ejected, as in Envoy. It reports whether the node was readmitted.
func (j *judge) sentence(n *Node, healthy bool, now time.Duration) (changed, readmitted bool) {
	away := n.outage != nil && n.outage.reason != 0
	switch {
	case healthy && away:
		return true, j.readmit(n, now)
	case !healthy && !away:
		j.begin(n, FailedHealthCheck, now).until = never
		return true, false
	}
	return false, false
}

// forgive takes one ejection off those that are not passed over, and forgets who
// left long ago.
func (j *judge) forgive(now time.Duration) {
	j.known = slices.DeleteFunc(j.known, func(n *Node) bool {
		if n.forgotten(now) {
			n.outage = nil
			return true
		}
		o := n.outage
		if o.reason != 0 {
			return false
		}
		if o.ejections > 0 {
			o.ejections--
		}
		if o.ejections == 0 {
			n.outage = nil
		}
		return o.ejections == 0
	})
}

// ejected counts those that can be called and are passed over for how they do.
func (j *judge) ejected() (count int) {
	for _, n := range j.known {
		if o := n.outage; o.reason.ejection() && n.standing < missed {
			count++
		}
	}
	return count
}

// busy reports whether time alone can change something.
func (j *judge) busy() bool { return len(j.known) > 0 || j.OutlierDetection.counts() }
