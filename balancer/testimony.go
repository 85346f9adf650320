package balancer

import (
	"cmp"
	"math"
	"sync/atomic"
	"time"
)

// testimony is what calls leave of how they ended for whoever judges the node.
// While all goes well nothing of it is written.
type testimony struct {
	signals atomic.Uint32         // for the pool, see inbox
	streak  atomic.Uint32         // failures in a row
	probe   atomic.Int64          // 0: none is wanted; see claim
	tally   atomic.Pointer[tally] // nil: nobody counts
}

// watched is the bit of Node.failing that says that somebody wants to hear of
// successes, too.
const (
	watched = 1 << 30
	flags   = suspected | watched
)

// completion is how a call ended.
type completion struct {
	start   time.Duration
	elapsed float32 // in nanoseconds; 0: its length says nothing
	result  Result
}

// attend takes note of a call that failed, or of one of a node that somebody
// has an eye on.
func (n *Node) attend(word uint32, c completion) {
	failed := c.result >= Failure && c.result != Refused
	if word&suspected != 0 {
		n.testify(failed)
		if c.result == Unreachable {
			n.evidence.Or(unreachable)
		}
	}
	if word&watched != 0 {
		if t := n.tally.Load(); t != nil && c.result != Refused {
			t.count(c)
		}
		if claimed := n.probe.Load(); claimed != 0 && claimed != wanted && int64(c.start) >= claimed {
			if failed {
				n.tell(disproved)
			} else {
				n.tell(proved)
			}
		}
	}
	switch {
	case c.result == Unreachable:
		n.tell(refused)
	case c.result == Untrusted:
		n.tell(mistrusted)
	case c.result == Refused: // it works, which says nothing of failures before
	case failed:
		// Not every one from there on, lest all is judged again at each failure
		// while no more may be ejected.
		if n.inbox != nil && n.streak.Add(1)%n.inbox.enough.Load() == 0 {
			n.tell(streaked)
		}
	case n.streak.Load() != 0:
		n.streak.Store(0)
	}
}

// wanted is the probe of a node that waits for one. Any other but 0 is when it
// was claimed by a call.
const wanted int64 = math.MinInt64

// expires is how long a claimed probe may take; then another call may be it.
const expires = 5 * time.Second

// claim reports whether a call is to be the probe of a node that waits for one.
func (n *Node) claim(now time.Duration) bool {
	p := n.probe.Load()
	if p == 0 || p != wanted && now-time.Duration(p) < expires {
		return false
	}
	return n.probe.CompareAndSwap(p, cmp.Or(int64(now), 1))
}

// Probes reports whether the call that was picked for the node at that moment is
// its probe.
func (n *Node) Probes(picked time.Duration) bool {
	return n.probe.Load() == cmp.Or(int64(picked), 1)
}

// Unsent says that the call which was picked for the node at that moment could
// not be sent to it after all. If it was to be the probe, another may be it in a
// second.
func (n *Node) Unsent(picked time.Duration) {
	n.probe.CompareAndSwap(cmp.Or(int64(picked), 1), int64(picked-expires+time.Second))
}
