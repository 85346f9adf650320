package balancer_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// bug is a rule of protection that a double breaks; none of them is zero.
type bug int

const (
	off           bug = 1 + iota // believes every list
	holdsAnything                // holds whatever vanishes
	emptyPasses                  // believes an empty list of few
	perEvent                     // looks at what one list changed
	noWindow                     // looks at all that ever happened
	ofTheLast                    // measures against the last list
	noDrain                      // misses those that drained
	noReplacing                  // misses those that were replaced
	noTraffic                    // does not look at calls
	forever                      // never ends a hold
	forgets                      // goes on holding those that are back
	clockRuns                    // lets holds end while the registry is not heard
	staleIsEmpty                 // takes a list that turns stale for an empty one
)

// double keeps to the rules of protection in the naive way, by going through
// everything that ever happened, or breaks one of them.
type double struct {
	balancer.Protection
	bug    bug
	listed map[string]*discovery.Instance
	absent map[string]*absence
	sizes  []sized
	live   bool
	deaf   time.Duration // since when
}

type sized struct {
	from time.Duration
	n    int
}

type absence struct {
	addr                string
	left, since         time.Duration
	missed, held        bool
	failures            int
	answered, unreached bool
}

func newDouble(c balancer.Protection, b bug) *double {
	c.Share = cmp.Or(c.Share, 0.3)
	c.Least = cmp.Or(c.Least, 3)
	c.Window = cmp.Or(c.Window, 30*time.Second)
	c.Hold = cmp.Or(c.Hold, 10*time.Minute)
	switch b {
	case off:
		c.Off = true
	case holdsAnything:
		c.Off, c.Share, c.Least = false, 0, 1
	case noWindow:
		c.Window = 1 << 62
	case forever:
		c.Hold = 1 << 62
	}
	return &double{Protection: c, bug: b, listed: map[string]*discovery.Instance{}, absent: map[string]*absence{}}
}

func (d *double) update(s discovery.Snapshot, now time.Duration) {
	heard := s.State == discovery.Live
	if d.live && !heard {
		d.deaf = now
	}
	if !d.live && heard {
		for _, a := range d.absent {
			if a.held && d.bug != clockRuns {
				a.since += now - d.deaf
			}
		}
	}
	d.live = heard
	if !heard && d.bug == staleIsEmpty {
		s.Instances = nil
	}

	before := d.listed
	d.listed = map[string]*discovery.Instance{}
	addresses := map[string]bool{}
	for _, i := range s.Instances {
		d.listed[i.ID] = i
		addresses[i.Addr] = true
		if a := d.absent[i.ID]; a != nil && (d.bug != forgets || !a.held) {
			delete(d.absent, i.ID)
		}
	}
	vanished := false
	for id, i := range before {
		if d.listed[id] == nil && (d.bug != forgets || d.absent[id] == nil) {
			missed := !d.Off && (!i.Draining || d.bug == noDrain)
			d.absent[id] = &absence{addr: i.Addr, left: now, missed: missed}
			vanished = vanished || missed
		}
	}
	if d.bug != noReplacing {
		for id, a := range d.absent {
			if d.listed[id] == nil && a.addr != "" && addresses[a.addr] {
				a.missed, a.held = false, false
			}
		}
	}
	d.sizes = append(d.sizes, sized{now, len(s.Instances)})
	if vanished {
		d.decide(len(before), now)
	}
	d.review(now)
}

func (d *double) decide(before int, now time.Duration) {
	recent := map[string]*absence{}
	for id, a := range d.absent {
		if a.missed && now-a.left <= d.Window && (d.bug != perEvent || a.left == now) {
			recent[id] = a
		}
	}
	peak := 0
	for i, s := range d.sizes {
		if i+1 == len(d.sizes) || now-d.sizes[i+1].from <= d.Window { // that it was in force until
			peak = max(peak, s.n)
		}
	}
	if d.bug == ofTheLast {
		peak = before
	}
	mass := len(recent) >= d.Least && float64(len(recent)) > d.Share*float64(peak)
	if mass || len(d.listed) == 0 && len(recent) > 0 && d.bug != emptyPasses {
		for _, a := range recent {
			if !a.held {
				a.held, a.since = true, now
			}
		}
	}
}

func (d *double) review(now time.Duration) {
	for id, a := range d.absent {
		shown := a.unreached || a.failures >= 3 && !a.answered
		late := (d.live || d.bug == clockRuns) && now-a.since >= d.Hold
		if a.held && (shown && d.bug != noTraffic || late) {
			a.held, a.missed = false, false
			if d.bug == forgets {
				delete(d.listed, id)
			}
		}
	}
}

func (d *double) call(id string, result balancer.Result, _ time.Duration) {
	a := d.absent[id]
	if a == nil || !a.held {
		return
	}
	switch result {
	case balancer.Success:
		a.answered = true
	case balancer.Unreachable:
		a.unreached = true
		a.failures++
	case balancer.Failure:
		a.failures++
	}
}

func (d *double) view() string {
	ids := []string{}
	for id := range d.listed {
		ids = append(ids, id)
	}
	for id, a := range d.absent {
		if a.held && d.listed[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, "")
}

func (d *double) held() (n int) {
	for _, a := range d.absent {
		if a.held {
			n++
		}
	}
	return n
}
