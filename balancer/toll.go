package balancer

import (
	"math"
	"sync/atomic"
)

// toll adds up what calls to one node cost, for as long as it lives. Whoever
// wants to know of a while looks before and after. It is kept only where
// instances of different places are compared: the average of latency that every
// node keeps is drawn to peaks, and so is higher where there are more calls.
type toll struct {
	// went counts the successes in its upper 24 bits and, in the lower 40, adds up
	// the logarithms of how long they took. It may wrap, and so may a sum of such;
	// the difference of two moments is right for up to 16 million calls.
	went   atomic.Uint64
	failed atomic.Uint32
}

const tollShift = 40

func (t *toll) pay(elapsed float32, failed bool) {
	switch {
	case failed:
		t.failed.Add(1)
	case elapsed > 0: // the length of a stream says nothing
		t.went.Add(1<<tollShift + uint64(logarithm(elapsed)))
	}
}

// logarithm is nearly the binary one, in units of 1/1024: it is straight between
// powers of two (Schraudolph, 1999). Below one nanosecond it is 0.
func logarithm(elapsed float32) uint32 {
	return (max(math.Float32bits(elapsed), bitsOfOne) - bitsOfOne) >> logarithmShift
}

const logarithmShift = 13

// bill is the sum of the tolls of some nodes at one moment.
type bill struct {
	went   uint64
	failed uint32
}

func billOf(nodes []*Node) (b bill) {
	for _, n := range nodes {
		if t := n.tally.Load(); t != nil {
			b.went += t.toll.went.Load()
			b.failed += t.toll.failed.Load()
		}
	}
	return b
}

// since returns what was added after an earlier moment.
func (b bill) since(earlier bill) sample {
	went := b.went - earlier.went
	return sample{
		ok:     float64(went >> tollShift),
		failed: float64(b.failed - earlier.failed),
		took:   float64(went & (1<<tollShift - 1)),
	}
}

// late returns the outstanding calls of some nodes that have waited for more
// than a second, as if they had ended now: where nothing ends any more, nothing
// else is seen.
func late(nodes []*Node, at tick) (s sample) {
	for _, n := range nodes {
		load := n.outstanding.Load()
		if load>>32 == 0 {
			continue
		}
		s.wait(tick(load), at)
		for i := range n.starts {
			s.wait(tick(n.starts[i].Load()), at)
		}
	}
	return s
}

func (s *sample) wait(start, at tick) {
	if start == 0 {
		return
	}
	if age := at.since(start); age > ticksOfSecond {
		s.ok++
		s.took += float64(logarithm(float32(age) * nsPerTick))
	}
}

const ticksOfSecond = 1_000_000_000 >> tickShift
