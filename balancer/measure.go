package balancer

import (
	"math"
	"time"
)

// How a node learns. Latency is a peak EWMA as in Finagle's PeakEwma: a slower
// call than expected is believed at once, a faster one moves the average by
// its share of the decay time. Failures are kept apart from latency, so that a
// fast error can never make an instance look fast.
const (
	// decay is Finagle's default decayTime.
	decay        = 10 * time.Second
	ticksOfDecay = int32(decay >> tickShift)

	failureGain = 1.0 / 4 // what one failure moves the share of failures by
	successGain = 1.0 / 8 // what one success moves it by
	forgiven    = 1.0 / 64
	// mostFailing costs 1/(1-31/32)² = 1024 times: enough that an instance
	// which refuses everything at once, and so never has a call outstanding,
	// does not look good beside busy ones.
	mostFailing = 1 - 1.0/32
)

// aged is how much an old value has lost after ticks without news, as a
// divisor: it still holds 1/aged of itself. It is e^(ticks ÷ decay), drawn
// straight between powers of two and so at most 6 % too much: the bits of a
// float are nearly its logarithm (Schraudolph, 1999). After 30 times the decay
// nothing is left to be lost.
func aged(ticks int32) float32 {
	return math.Float32frombits(bitsOfOne + uint32(int64(min(ticks, 30*ticksOfDecay))*bitsPer64Ticks>>6))
}

const (
	bitsOfOne      = 127 << 23
	bitsPer64Ticks = 64 << 23 * 1000 / 693 / int64(ticksOfDecay) // ln 2 = 0.693
)

func (n *Node) learn(at tick, elapsed float32, failed bool) {
	for {
		word := n.latency.Load()
		latency, last := latencyOf(word), tick(word)
		switch {
		case elapsed > latency && (latency > 0 || !failed):
			latency = elapsed // a peak, or the first sample
		case last == at:
			return // no time has passed that could move the average
		case failed:
			// Fast or a stream: no latency, but news.
		case elapsed > 0:
			latency = elapsed + (latency-elapsed)/aged(at.since(last))
		default:
			return // a stream that went well says nothing of latency
		}
		if n.latency.CompareAndSwap(word, uint64(math.Float32bits(latency))<<32|uint64(at)) {
			return
		}
	}
}

// learnOutcome is not called while all goes well. A racing update may be lost:
// the share is an estimate and the next call corrects it. It comes before the
// latency is learned, which says how old the share is.
func (n *Node) learnOutcome(at tick, word uint32, c completion) {
	n.attend(word, c)
	failed := c.result >= Failure
	share := shareOf(word)
	if share == 0 && !failed {
		return
	}
	share /= aged(at.since(tick(n.latency.Load())))
	if failed {
		share = min(share+(1-share)*failureGain, mostFailing)
	} else if share -= share * successGain; share < forgiven {
		share = 0
	}
	n.failing.CompareAndSwap(word, math.Float32bits(share)|word&flags)
}

func shareOf(failing uint32) float32 { return math.Float32frombits(failing &^ flags) }

// oldest returns the age in nanoseconds of the oldest outstanding call that is
// timed. The load is given so that an idle node costs no further look.
func (n *Node) oldest(load uint64, at tick) float32 {
	left := load >> 32
	if left == 0 {
		return 0
	}
	var age int32
	if start := tick(load); start != 0 {
		age = at.since(start)
		left--
	}
	for i := 0; left > 0 && i < len(n.starts); i++ {
		if start := tick(n.starts[i].Load()); start != 0 {
			age = max(age, at.since(start))
			left--
		}
	}
	return float32(age) * nsPerTick
}
