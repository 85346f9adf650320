package retry

import (
	"math"
	"sync/atomic"
	"time"
)

// stripes is over how many copies of a counter callers are spread, so that they
// do not share a cache line. A power of two.
const stripes = 8

// A ring of counts, one to each of the spans of time that come after each other:
// in the upper half of a word the number of the span, in the lower what was
// counted in it. Its length is the longest time that can be asked for.

// tick counts one in a span.
func tick(ring []atomic.Uint64, span uint64) {
	count := &ring[span%uint64(len(ring))]
	for {
		word := count.Load()
		if uint32(word>>32) == uint32(span) && uint32(word) != 0 {
			// Only a count of the same span is added to; 2³² calls of one span in
			// one stripe are out of reach.
			count.Add(1)
			return
		}
		if count.CompareAndSwap(word, span<<32|1) {
			return
		}
	}
}

// ticks returns what was counted in a span and those before it, as many as given.
func ticks(ring []atomic.Uint64, span uint64, spans int32) (sum uint64) {
	for i := range ring {
		word := ring[i].Load()
		if age := int32(uint32(span) - uint32(word>>32)); age >= 0 && age < spans {
			sum += uint64(uint32(word))
		}
	}
	return sum
}

// A ledger is the same for those who hold a lock. What is of a later span, noted
// by somebody who read the clock after now and was quicker here, is counted all
// the same.
type entry struct {
	span  uint64
	count int
}

func note(ledger []entry, span uint64) {
	e := &ledger[span%uint64(len(ledger))]
	if e.span != span {
		*e = entry{span: span}
	}
	e.count++
}

func noted(ledger []entry, span, spans uint64) (sum int) {
	for _, e := range ledger {
		if span < e.span+spans {
			sum += e.count
		}
	}
	return sum
}

// spanOf numbers spans of time so that no moment has a negative one: Durations
// reach back 292 years before whatever they count from.
func spanOf(now, span time.Duration) uint64 {
	reach := math.MaxInt64 / uint64(span)
	return (uint64(now) + reach*uint64(span)) / uint64(span)
}
