// Package wallclock lets the wall clock of a process jump, as when an operator or
// NTP sets it, while time passes as ever: it replaces time.Now. It is for processes
// that a test starts.
//
// The clock of a machine is everybody's, time namespaces of Linux have none of
// their own, and Go asks the kernel in a way that no library can get between.
package wallclock

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// begun is when the clock was taken, and shifted the same moment as the clock
// tells it now.
var (
	begun   time.Time
	shifted atomic.Pointer[time.Time]
)

// now is what takes the place of time.Now. Neither Add nor Since calls that.
func now() time.Time { return shifted.Load().Add(time.Since(begun)) }

// Jump sets the wall clock forward, or back where by is negative, from what the
// system says. It has no effect before [Take].
func Jump(by time.Duration) {
	t := begun
	// The seconds of a Time that has a monotonic reading are bits 30 to 62 of its
	// first word (time.Time).
	word := (*uint64)(unsafe.Pointer(&t))
	*word += uint64(int64(by/time.Second)) << 30
	shifted.Store(&t)
}
