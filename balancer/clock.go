package balancer

import (
	"math"
	"time"
)

var epoch = time.Now()

// Now is the monotonic time since the process began. Every time given to this
// package for real calls is read here.
func Now() time.Duration { return time.Since(epoch) }

// At is what Now was at a moment that somebody has read for another purpose as
// well.
func At(t time.Time) time.Duration { return t.Sub(epoch) }

// TimeOf is the moment at which Now was now.
func TimeOf(now time.Duration) time.Time { return epoch.Add(now) }

// tick is a moment in units of 65.536 µs, so that it fits beside another value
// in one atomic word. It wraps after 78 hours, see since.
type tick uint32

const tickShift = 16

// tickOf never returns 0, which means "none" in the words of a Node.
func tickOf(now time.Duration) tick { return max(1, tick(now>>tickShift)) }

// since returns the ticks from t to u. Clocks are read before words are, so t
// may be a little later than u: that is no time at all. All else is the past,
// however long ago.
func (u tick) since(t tick) int32 {
	const skew = 1 << 20 // 69 s
	if d := u - t; d < -skew&math.MaxUint32 {
		return int32(min(d, math.MaxInt32))
	}
	return 0
}

const nsPerTick = 1 << tickShift
