package balancer

import "time"

// Request is what a choice may depend on beside the nodes.
type Request struct {
	Now time.Duration // see Now
	// Rand is 64 fresh random bits. Two requests with the same bits choose
	// alike.
	Rand uint64
	// Key names what the call is about, "" if nothing is known. Policies that
	// hash look at it.
	Key string
	// Retry says that the call was tried before. It is never a probe then: a call
	// that lost one attempt to a dead instance must not lose them all to such.
	Retry bool
}

// Picker chooses a node. It never blocks, never allocates, and is safe for
// concurrent use. It returns nil only if it has no nodes.
type Picker interface {
	Pick(Request) *Node
}

// Refresher is a picker that keeps something which ages, such as a schedule made
// of weights that change. Refresh is called about once a second, never by a
// call, and by one goroutine at a time, while calls go on picking.
type Refresher interface {
	Refresh(now time.Duration)
}

// drawOne and drawTwo draw without bias worth speaking of (below n ÷ 2³²), from halves
// of the same 64 bits.

func drawOne(rand uint64, n int) int {
	return int(uint64(uint32(rand)) * uint64(n) >> 32)
}

// drawTwo returns two distinct numbers below n, which must be at least 2: the
// second is drawn from n-1 and steps over the first, as in Finagle's P2CPick.
func drawTwo(rand uint64, n int) (int, int) {
	a := int((rand >> 32) * uint64(n) >> 32)
	b := int(uint64(uint32(rand)) * uint64(n-1) >> 32)
	if b >= a {
		b++
	}
	return a, b
}

// sole is the picker over at most one node, whatever the policy.
type sole struct{ node *Node }

func (s sole) Pick(Request) *Node { return s.node }

func soleOf(nodes []*Node) Picker {
	if len(nodes) == 0 {
		return sole{}
	}
	return sole{nodes[0]}
}
