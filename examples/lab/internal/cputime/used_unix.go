//go:build unix

// Package cputime reads how much CPU this process has used.
package cputime

import (
	"syscall"
	"time"
)

// Used is the CPU time of the process, 0 where the system does not say.
func Used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
