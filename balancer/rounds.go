package balancer

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// rounds are whose turn it is to be probed, and what probes showed of each. One
// goroutine has them.
type rounds struct {
	HealthCheck
	bits   *rand.Rand
	nodes  []*Node // of the last list
	turns  map[*Node]*turn
	agenda agenda
}

// turn is a node's place in the rounds.
type turn struct {
	node    *Node
	due     time.Duration
	place   int  // in the agenda, -1 while it is probed
	checked bool // at least once
	unwell  bool // the verdict
	against int  // results in a row that say otherwise
}

func newRounds(h HealthCheck, seed uint64) *rounds {
	return &rounds{HealthCheck: h, bits: rand.New(rand.NewPCG(seed, 0)), turns: map[*Node]*turn{}}
}

// configure goes by h from now on. Who waits for a turn waits for the same part of
// the interval, so that all stay spread, in their order.
func (r *rounds) configure(h HealthCheck, now time.Duration) {
	scale := float64(h.Interval) / float64(r.Interval)
	r.HealthCheck = h
	if scale == 1 {
		return
	}
	for _, t := range r.agenda {
		if left := t.due - now; left > 0 {
			t.due = now + time.Duration(float64(left)*scale)
		}
	}
}

// follow takes over a list of nodes: those that came get a turn, and those that
// left are forgotten. It costs nothing if the list is still the same.
func (r *rounds) follow(nodes []*Node, now time.Duration) {
	if sameList(r.nodes, nodes) {
		return
	}
	left, came := Diff(r.nodes, nodes)
	r.nodes = nodes
	for _, n := range left {
		if t := r.turns[n]; t != nil && t.place >= 0 {
			heap.Remove(&r.agenda, t.place)
		}
		delete(r.turns, n)
	}
	for _, n := range came {
		if r.turns[n] != nil {
			continue // named twice
		}
		first := now + time.Duration(r.bits.Float64()*float64(r.Interval))
		t := &turn{node: n, due: first, unwell: n.Unwell()}
		r.turns[n] = t
		heap.Push(&r.agenda, t)
	}
}

// sameList reports whether two lists are one; lists are not written to.
func sameList(a, b []*Node) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// take returns the turn that has been due for longest, nil if none is, and
// whether it has been for an interval or more. It is not in the agenda until it is
// done.
func (r *rounds) take(now time.Duration) (t *turn, late bool) {
	if len(r.agenda) == 0 || r.agenda[0].due > now {
		return nil, false
	}
	t = heap.Pop(&r.agenda).(*turn)
	return t, now-t.due >= r.Interval
}

// pause is how long it is until somebody is due.
func (r *rounds) pause(now time.Duration) time.Duration {
	if len(r.agenda) == 0 || r.agenda[0].due <= now {
		return r.Interval // those that are due wait for others to be done
	}
	return r.agenda[0].due - now
}

// done gives a node its next turn, an interval after the last one was due, so
// that nodes which are spread stay spread. Turns that went by are left out. It
// reports whether the node is still there.
func (r *rounds) done(t *turn, now time.Duration) bool {
	if r.turns[t.node] != t {
		return false
	}
	t.due += time.Duration((1 + r.Jitter*(2*r.bits.Float64()-1)) * float64(r.Interval))
	if missed := now - t.due; missed >= 0 {
		t.due += missed/r.Interval*r.Interval + r.Interval
	}
	heap.Push(&r.agenda, t)
	return true
}

// hear takes a result and reports whether it changed the verdict.
func (t *turn) hear(healthy bool, h HealthCheck) (changed bool) {
	enough := h.Fall
	if t.unwell {
		enough = h.Rise
	}
	if !t.checked {
		t.checked, enough = true, 1
	}
	if healthy != t.unwell {
		t.against = 0
		return false
	}
	if t.against++; t.against < enough {
		return false
	}
	t.unwell, t.against = !healthy, 0
	return true
}

// agenda is a heap of turns, the earliest first.
type agenda []*turn

func (q agenda) Len() int           { return len(q) }
func (q agenda) Less(i, j int) bool { return q[i].due < q[j].due }
func (q agenda) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *agenda) Push(x any) {
	t := x.(*turn)
	t.place = len(*q)
	*q = append(*q, t)
}

func (q *agenda) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	t.place = -1
	return t
}
