//go:build unix

package cputime

import (
	"syscall"
	"time"
)

func used() (cpu time.Duration, told bool) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
