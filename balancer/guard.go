package balancer

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// guard applies a [Protection] to the members of a pool, under its lock.
type guard struct {
	Protection
	preserved Preserved
	sizes     sizes // of the list

	heard   bool          // the last list was live
	since   time.Duration // when it was not any more
	trusted bool          // the last list was live, or followed one that was; nobody can vanish from another
}

// hear takes note of whether the registry is heard. The time in which it is
// not does not count as time held.
func (g *guard) hear(members []*Node, state discovery.State, now time.Duration) {
	live := state == discovery.Live
	if g.heard && !live {
		g.since = now
	}
	if live && !g.heard && g.holding() {
		for _, n := range members {
			if n.standing == held {
				n.since.Add(int64(now - g.since))
			}
		}
	}
	g.heard = live
}

// misses reports whether a node that leaves the list does so without a reason.
// Nobody misses one that could not be called, or that nobody could reach.
func (g *guard) misses(n *Node) bool {
	unreached := n.outage != nil && n.outage.reason.unready()
	return g.trusted && !g.Off && !n.draining && n.protocols != 0 && !unreached
}

// decide judges a list that was merged into the members.
func (g *guard) decide(members []*Node, list []*discovery.Instance, c changes, now time.Duration) {
	if !g.trusted { // nor was another list ever the largest
		g.trusted, g.sizes = g.heard, sizes{}
	}
	peak := g.sizes.note(len(list), now, g.Window)
	if len(c.came) > 0 && len(members) > len(list) {
		g.excuse(who(members, func(n *Node) bool { return n.standing == held || n.standing == missed }), c.came, now)
	}
	if len(c.vanished) == 0 {
		return
	}
	g.excuse(c.vanished, list, now)
	suspects, already := g.recent(members, now)
	if !g.suspicious(len(suspects)+already, peak, len(list)) {
		return
	}
	for _, n := range suspects {
		n.standing = held
		n.suspect(now)
		g.preserved.Held++
	}
}

// recent returns those missed that vanished within the window, and how many
// did that are held already.
func (g *guard) recent(members []*Node, now time.Duration) (suspects []*Node, already int) {
	for _, n := range members {
		switch {
		case now-n.left > g.Window:
		case n.standing == missed:
			suspects = append(suspects, n)
		case n.standing == held:
			already++
		}
	}
	return suspects, already
}

// excuse lets go of absent nodes at the address of somebody on the list: they
// were replaced.
func (g *guard) excuse(absent []*Node, list []*discovery.Instance, now time.Duration) {
	if len(absent) == 1 { // which needs no map
		addr := absent[0].Instance().Addr
		if addr != "" && slices.ContainsFunc(list, func(i *discovery.Instance) bool { return i.Addr == addr }) {
			g.release(absent[0], &g.preserved.Replaced, now)
		}
		return
	}
	at := make(map[string][]*Node, len(absent))
	for _, n := range absent {
		if addr := n.Instance().Addr; addr != "" {
			at[addr] = append(at[addr], n)
		}
	}
	for _, i := range list {
		for _, n := range at[i.Addr] {
			g.release(n, &g.preserved.Replaced, now)
		}
	}
}

// review lets go of the suspects whose time is up, or whose calls confirm that
// they are gone. It reports whether there were any.
func (g *guard) review(members []*Node, now time.Duration) (released bool) {
	if !g.holding() {
		return false
	}
	for _, n := range members {
		if n.standing != held {
			continue
		}
		since, _ := n.Held()
		switch {
		case n.confirmed():
			g.release(n, &g.preserved.Gone, now)
		case g.heard && now-since >= g.Hold:
			g.release(n, &g.preserved.Expired, now)
		default:
			continue
		}
		released = true
	}
	return released
}

// release ends the suspicion of a node that is not listed, and that it is
// missed.
func (g *guard) release(n *Node, reason *int64, now time.Duration) {
	if n.standing == held {
		n.left = now
		n.clear()
		*reason++
	}
	n.standing = gone
}

func (g *guard) holding() bool {
	p := g.preserved
	return p.Held > p.Returned+p.Replaced+p.Gone+p.Expired
}

func who(nodes []*Node, is func(*Node) bool) (some []*Node) {
	for _, n := range nodes {
		if is(n) {
			some = append(some, n)
		}
	}
	return some
}
