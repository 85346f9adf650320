package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Usage returns how long the threads of a process have run, in user and in
// system mode, and how many bytes of memory it holds.
//
// The time is that of the process's CPU clock, which the scheduler keeps in
// nanoseconds; /proc/<pid>/stat counts in ticks of 10 ms.
func Usage(pid int) (cpu time.Duration, resident int64, err error) {
	// clock_getcpuclockid(3): the complement of the process above three bits,
	// of which 2 means the scheduler's account.
	const scheduled = 2
	var ran unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &ran); err != nil {
		return 0, 0, fmt.Errorf("CPU clock: %w", err)
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0, 0, fmt.Errorf("statm is %q: allowed are two fields or more", statm)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("statm: %w", err)
	}
	return time.Duration(ran.Nano()), pages * int64(os.Getpagesize()), nil
}
