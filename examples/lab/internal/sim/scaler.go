package sim

import (
	"math"
	"time"
)

// drainFor is how long an instance drains that the autoscaler stops.
const drainFor = 10 * time.Second

// scale is what the autoscaler does, as that of Kubernetes: as many instances as
// bring their utilization to the target.
func (w *world) scale() {
	s := &w.plan.Scaler
	if w.now >= w.over {
		return
	}
	w.queue.push(event{at: w.now + int64(s.Every), kind: scales})
	class := w.classOf(s.Class)
	now := time.Duration(w.now - beginning)
	var there []int
	busy := 0.0
	for i, one := range w.servers {
		if one.class == class && one.stage == listed {
			there = append(there, i)
		}
		if one.class == class {
			busy += one.worked
			one.worked = 0
		}
	}
	one := float64(s.Every) * float64(w.plan.Fleet[class].Workers) * s.Target
	wanted := min(max(int(math.Ceil(min(busy/one, float64(s.Most)))), s.Least), s.Most)
	if more := wanted - len(there) - w.coming; more > 0 {
		w.coming += more
		w.later(now+s.Delay, act{what: comes, class: class, count: more, ordered: true})
	}
	for k := range len(there) - wanted {
		last := there[len(there)-1-k]
		w.later(now, act{what: drains, server: last})
		w.later(now+drainFor, act{what: stops, server: last})
	}
}
