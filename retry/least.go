package retry

import (
	"math"
	"sync/atomic"
	"time"
)

// Least is the least latency of a method in the last one to two minutes. A call that
// has less time left than that is not worth sending: it would be given up before its
// answer, and cost its server as much. The zero value knows nothing yet. It is safe
// for concurrent use, takes no lock, allocates nothing, and is almost always only
// read.
type Least struct {
	// Each is of one minute: sixteen bits say of which, five how many latencies it
	// is of, up to enough, and the rest the nanoseconds.
	windows [2]atomic.Uint64
	passed  atomic.Uint64 // the second in which a call last passed whatever its time
}

const (
	leastShift  = 43
	leastMask   = 1<<leastShift - 1
	countMask   = 1<<5 - 1
	minuteShift = 48
)

// Record notes that a call succeeded at now after d.
func (l *Least) Record(now, d time.Duration) {
	minute := spanOf(now, time.Minute)
	w := &l.windows[minute%2]
	for {
		word := w.Load()
		least, count := uint64(max(d, 0)), uint64(1)
		if word != 0 {
			age := int16(uint16(minute) - uint16(word>>minuteShift))
			if age == -2 {
				return // too late: the window is used again
			}
			if age == 0 {
				least, count = min(least, word&leastMask), min(word>>leastShift&countMask+1, leastSamples)
			}
		}
		next := uint64(uint16(minute))<<minuteShift | count<<leastShift | min(least, leastMask)
		if next == word || w.CompareAndSwap(word, next) {
			return
		}
	}
}

// Least returns the least latency. It is false while there are fewer than twenty.
func (l *Least) Least(now time.Duration) (time.Duration, bool) {
	minute := uint16(spanOf(now, time.Minute))
	least, count := uint64(math.MaxInt64), uint64(0)
	for i := range l.windows {
		word := l.windows[i].Load()
		if age := int16(minute - uint16(word>>minuteShift)); word != 0 && age >= -1 && age <= 1 {
			least, count = min(least, word&leastMask), count+word>>leastShift&countMask
		}
	}
	return time.Duration(least), count >= leastSamples
}

// Allows reports whether a call that has this much time left may succeed. One a
// second passes however little it has: where all are refused, none could show that
// the method has become faster.
func (l *Least) Allows(now, left time.Duration) bool {
	least, ok := l.Least(now)
	if !ok || left >= least {
		return true
	}
	second := secondOf(now) + 1
	passed := l.passed.Load()
	return passed < second && l.passed.CompareAndSwap(passed, second)
}
