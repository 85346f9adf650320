// Package load makes calls and measures what they cost: a closed loop finds how
// many there can be and what each uses, an open one how long they take.
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
	Processes        Processes
}

// The phases of a load.
const (
	warming int32 = iota
	measuring
	over
)

// Run keeps the load up for warmup and duration, and until a call has ended in
// the latter. Calls count that end while it measures, failures from the beginning
// to the end.
func (l Closed) Run(ctx context.Context) (Share, error) {
	var phase atomic.Int32
	some, cancel := context.WithTimeout(ctx, l.Warmup+l.Duration+patience) // until a call has ended
	defer cancel()
	var running sync.WaitGroup // the workers, ended by the phase
	workers := make([]*worker, l.Concurrency)
	for i := range workers {
		workers[i] = &worker{latencies: newHistogram(), first: cancel}
		running.Go(func() { workers[i].run(ctx, l.Worker(), &phase) })
	}
	time.Sleep(l.Warmup)
	before, errBefore := l.Processes.read()
	phase.Store(measuring)
	time.Sleep(l.Duration)
	<-some.Done()
	phase.Store(over)
	after, errAfter := l.Processes.read()
	running.Wait()
	s := after.since(before)
	all := newHistogram()
	for _, w := range workers {
		w.addTo(&s, all)
	}
	s.Calls = all.TotalCount()
	s.Latencies = all.Export()
	return s, errors.Join(errBefore, errAfter)
}

// worker is used by one goroutine, so that no two write to one cache line.
type worker struct {
	latencies *hdrhistogram.Histogram
	failed    int64
	err       error  // the first
	first     func() // called when a call has ended while it measures, and then nil
}

func (w *worker) run(ctx context.Context, call func(context.Context) error, phase *atomic.Int32) {
	for begun := time.Now(); ; {
		err := call(ctx)
		ended := time.Now()
		now := phase.Load()
		if now == measuring && w.first != nil {
			w.first()
			w.first = nil
		}
		switch {
		case err != nil:
			w.fail(err)
		case now == measuring:
			record(w.latencies, ended.Sub(begun))
		}
		if now == over {
			return
		}
		begun = ended
	}
}

func (w *worker) fail(err error) {
	w.failed++
	if w.err == nil {
		w.err = err
	}
}

func (w *worker) addTo(s *Share, all *hdrhistogram.Histogram) {
	all.Merge(w.latencies)
	s.Errors += w.failed
	if w.err != nil && s.FirstError == "" {
		s.FirstError = w.err.Error()
	}
}
