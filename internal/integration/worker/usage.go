package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// The questions that every worker answers.
const (
	usageQuestion   = "usage"
	profileQuestion = "profile"
)

// Usage is what a process has used.
type Usage struct {
	CPU      time.Duration // user and system time of all its threads
	Resident int64         // bytes of memory it holds; 0 where the system does not say
}

// Usage asks the worker what it has used so far.
func (p *Process) Usage(ctx context.Context) (Usage, error) {
	var u Usage
	return u, p.Ask(ctx, usageQuestion, nil, &u)
}

// Profile makes the worker write a CPU profile into a file until it is asked to
// write another one, or none: "".
func (p *Process) Profile(ctx context.Context, file string) error {
	return p.Ask(ctx, profileQuestion, file, nil)
}

// Own is what this process has used.
func Own() (Usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return Usage{}, err
	}
	return Usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Resident: resident()}, nil
}

func usage(json.RawMessage) (any, error) { return Own() }

// resident reads the second field of Linux's statm.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var all, here int64
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &all, &here); err != nil {
		return 0
	}
	return here * int64(os.Getpagesize())
}

func profile(file string) (any, error) {
	pprof.StopCPUProfile() // does nothing where there is none
	if file == "" {
		return nil, nil
	}
	f, err := os.Create(file) // closed with the process
	if err != nil {
		return nil, err
	}
	return nil, pprof.StartCPUProfile(f)
}
