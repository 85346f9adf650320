package balancer

import "time"

var epoch = time.Now()

// Now is the monotonic time since the process began. Every time given to this
// package for real calls is read here.
func Now() time.Duration { return time.Since(epoch) }

// tick is a moment in units of 65.536 µs, so that it fits beside another value
// in one atomic word. It wraps after 78 hours; differences are taken as signed
// numbers, and one that comes out negative counts as zero.
type tick uint32

const tickShift = 16

// tickOf never returns 0, which means "none" in the words of a Node.
func tickOf(now time.Duration) tick { return max(1, tick(now>>tickShift)) }

// since returns the ticks from t to u.
func (u tick) since(t tick) int32 { return max(0, int32(u-t)) }

const nsPerTick = 1 << tickShift
