package target

import (
	"runtime"
	"time"
)

// burner is how many turns of a loop take a millisecond of CPU.
type burner int

// calibrate finds out. Of several tries the shortest counts: what disturbs one
// makes it longer.
func calibrate() burner {
	runtime.LockOSThread() // the clock is that of the thread
	defer runtime.UnlockOSThread()
	const tries, turns = 8, 1 << 20
	least := time.Duration(1<<63 - 1)
	for range tries {
		begun := threadCPU()
		runtime.KeepAlive(spin(turns))
		least = min(least, threadCPU()-begun)
	}
	return burner(turns * int64(time.Millisecond) / max(1, int64(least)))
}

// burn takes a millisecond of CPU, however long that takes.
func (b burner) burn() { runtime.KeepAlive(spin(int(b))) }

// spin is xorshift: each turn needs the result of the last.
//
//go:noinline
func spin(turns int) uint64 {
	x := uint64(1)
	for range turns {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}
