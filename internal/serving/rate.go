// Package serving measures the calls that a process serves: how many there are,
// and how long they take. It keeps little and never locks.
package serving

import (
	"sync/atomic"
	"time"
)

// Rate counts events, to say how many there are in a second. The zero value has
// seen none.
type Rate struct {
	// Each slot counts those of half a second, whose number it has in the upper
	// half. That is one more than it is, so that 0 is none.
	slots [16]atomic.Uint64
	first atomic.Uint32 // number of the first
}

const (
	slotLength = 500 * time.Millisecond
	window     = 10 // slots
)

func slotOf(now time.Duration) uint32 { return uint32(now/slotLength) + 1 }

// Add counts an event.
func (r *Rate) Add(now time.Duration) {
	number := slotOf(now)
	if r.first.Load() == 0 {
		r.first.CompareAndSwap(0, number)
	}
	slot := &r.slots[number%uint32(len(r.slots))]
	for {
		word := slot.Load()
		if uint32(word>>32) == number {
			slot.Add(1)
			return
		}
		if slot.CompareAndSwap(word, uint64(number)<<32|1) {
			return
		}
	}
}

// First returns the number of the first slot, 0 if there is none.
func (r *Rate) First() uint32 { return r.first.Load() }

// Over returns the rate over the window, or since the slot of number first if
// that is later: over whole slots, so it is 0 within the first.
func (r *Rate) Over(now time.Duration, first uint32) float64 {
	number := slotOf(now)
	if first == 0 || first >= number {
		return 0
	}
	slots := min(number-first, window)
	sum := uint32(0)
	for i := number - slots; i < number; i++ {
		if word := r.slots[i%uint32(len(r.slots))].Load(); uint32(word>>32) == i {
			sum += uint32(word)
		}
	}
	return float64(sum) / (float64(slots) * slotLength.Seconds())
}
