package target

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadCPU is how long this thread has run.
func threadCPU() time.Duration {
	var ran unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ran); err != nil {
		return time.Duration(time.Now().UnixNano()) // no kernel since 2.6.12 lacks it
	}
	return time.Duration(ran.Nano())
}
