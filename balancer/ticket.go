package balancer

import "time"

// Result is how a call ended, as far as the choice of an instance cares.
type Result uint8

const (
	// Neutral says nothing about the instance: the caller gave up, a hedge
	// lost, we refused the call ourselves.
	Neutral Result = iota
	// Success: the instance did its work.
	Success
	// Failure: it did not.
	Failure
	// Unreachable is a Failure of which surely nothing reached the instance:
	// no connection came about.
	Unreachable
	// Untrusted is one of which nothing reached it either: it could not prove
	// who it is, as with an expired certificate.
	Untrusted
	// Refused: the instance said that it has too much to do, and when to come again.
	// It is one to call less, and no outlier: under overload all of them say so.
	Refused
)

// Ticket is one outstanding call of a node. It is a value; Done must be called
// on it once.
type Ticket struct {
	node  *Node
	start time.Duration
	slot  int8
}

const (
	// untimed: the call found no free slot; it is counted and its latency
	// sampled, its age while outstanding is not seen.
	untimed int8 = -1
	// stream: the call's length says nothing about the instance.
	stream int8 = -2
)

// Start counts a call as outstanding from now on.
func (n *Node) Start(now time.Duration) Ticket {
	at := tickOf(now)
	if word := n.outstanding.Load(); uint32(word) == 0 && n.outstanding.CompareAndSwap(word, word+one+uint64(at)) {
		return Ticket{n, now, 0}
	}
	n.outstanding.Add(one)
	for i := range n.starts {
		if n.starts[i].Load() == 0 && n.starts[i].CompareAndSwap(0, uint32(at)) {
			return Ticket{n, now, int8(i + 1)}
		}
	}
	return Ticket{n, now, untimed}
}

// StartStream counts a call whose duration is not the instance's doing, such
// as a stream or a long poll: it is outstanding until Done, and neither its
// age nor its length is taken for latency.
func (n *Node) StartStream(now time.Duration) Ticket {
	n.outstanding.Add(one)
	return Ticket{n, now, stream}
}

const one = uint64(1) << 32

// Node returns the node the call went to, nil for the zero Ticket.
func (t Ticket) Node() *Node { return t.node }

// Done ends the call and lets the node learn from it.
func (t Ticket) Done(now time.Duration, result Result) {
	t.release()
	if result == Neutral {
		return
	}
	elapsed := float32(max(1, now-t.start))
	if t.slot == stream {
		elapsed = 0
	}
	at := tickOf(now)
	if word := t.node.failing.Load(); word != 0 || result >= Failure {
		t.node.learnOutcome(at, word, completion{t.start, elapsed, result})
	}
	t.node.learn(at, elapsed, result >= Failure)
}

func (t Ticket) release() {
	n := t.node
	if raceEnabled && n.outstanding.Load()>>32 == 0 {
		panic("balancer: Done was called twice on one Ticket")
	}
	switch {
	case t.slot == 0:
		n.outstanding.Add(^(one + uint64(tickOf(t.start)) - 1))
		return
	case t.slot > 0:
		n.starts[t.slot-1].Store(0)
	}
	n.outstanding.Add(^(one - 1))
}

// Age is how long the call is outstanding at now; 0 for one whose duration is not
// the instance's doing.
func (t Ticket) Age(now time.Duration) time.Duration {
	if t.slot == stream {
		return 0
	}
	return now - t.start
}
