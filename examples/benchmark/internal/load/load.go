// Package load makes calls and measures what they cost.
package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Closed is a closed loop: each worker begins its next call when its last ended.
type Closed struct {
	Worker           func() func(context.Context) error // what each worker calls with
	Concurrency      int
	Warmup, Duration time.Duration
	Processes        []int // whose CPU counts beside that of this one
}

// The phases of a load.
const (
	warming int32 = iota
	measuring
	over
)

// Run keeps the load up for warmup and duration. Calls count that end while it
// measures, failures from the beginning to the end.
func (l Closed) Run(ctx context.Context) (Measurement, error) {
	var phase atomic.Int32
	var running sync.WaitGroup // the workers, ended by the phase
	workers := make([]*worker, l.Concurrency)
	for i := range workers {
		workers[i] = &worker{latencies: newHistogram()}
		running.Go(func() { workers[i].run(ctx, l.Worker(), &phase) })
	}
	time.Sleep(l.Warmup)
	before, errBefore := read(l.Processes)
	phase.Store(measuring)
	time.Sleep(l.Duration)
	phase.Store(over)
	after, errAfter := read(l.Processes)
	running.Wait()
	m := after.since(before)
	all := newHistogram()
	for _, w := range workers {
		all.Merge(w.latencies)
		m.Errors += w.failed
		if w.err != nil && m.FirstError == "" {
			m.FirstError = w.err.Error()
		}
	}
	m.Calls = all.TotalCount()
	m.P50, m.P99, m.P999 = quantile(all, 50), quantile(all, 99), quantile(all, 99.9)
	return m, errors.Join(errBefore, errAfter)
}

// worker is used by one goroutine, so that no two write to one cache line.
type worker struct {
	latencies *hdrhistogram.Histogram
	failed    int64
	err       error // the first
}

func (w *worker) run(ctx context.Context, call func(context.Context) error, phase *atomic.Int32) {
	for begun := time.Now(); ; {
		err := call(ctx)
		ended := time.Now()
		now := phase.Load()
		switch {
		case err != nil:
			w.failed++
			if w.err == nil {
				w.err = err
			}
		case now == measuring:
			w.latencies.RecordValue(min(ended.Sub(begun).Microseconds(), longest))
		}
		if now == over {
			return
		}
		begun = ended
	}
}

// longest is the top of the histograms, in microseconds: ten minutes.
const longest = 600_000_000

// newHistogram returns a histogram with an error below 1 %. One more digit
// would make the heap of a client with many workers so large that its garbage
// were collected less often than in an ordinary program.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, 2) }

func quantile(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(percent)) * time.Microsecond
}
