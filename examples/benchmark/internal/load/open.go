package load

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Open is an open loop: calls arrive by a Poisson process, as those of many
// callers do that do not know of each other, and each is timed from its arrival.
// A call that waits because others take long is slow, and shows as slow.
//
// Each worker takes the next arrival when its last call has ended, and waits until
// it is due. As they take them in order, none that is due waits while a worker has
// no call, and no hand has to pass it on.
type Open struct {
	Worker           func() func(context.Context) error
	Workers          int     // calls in flight at most
	Rate             float64 // per second
	Warmup, Duration time.Duration
	Seed             uint64 // of the arrivals

	alarm func() (alarm, error) // nil: that of the system
}

// patience is how long calls may go on when their time is over.
const patience = 5 * time.Second

// Run makes every call that arrives in warmup and duration. Those of the latter
// count, failures from the beginning to the end. Calls that have not ended when
// the patience is over count with the time that they have had.
func (l Open) Run(ctx context.Context) (Share, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if l.alarm == nil {
		l.alarm = systemAlarm
	}
	queue := newArrivals(l.Rate, l.Warmup, l.Duration, l.Seed)
	// Not a deadline: calls would carry it to the servers.
	defer time.AfterFunc(l.Warmup+l.Duration+patience, cancel).Stop()

	var running sync.WaitGroup // the workers, ended by the arrivals or the patience
	workers := make([]*openWorker, l.Workers)
	errs := make([]error, l.Workers)
	for i := range workers {
		workers[i] = &openWorker{worker: worker{latencies: newHistogram()}, late: newHistogram()}
		running.Go(func() {
			alarm, err := l.alarm()
			if err != nil {
				errs[i] = err
				return
			}
			errs[i] = errors.Join(workers[i].run(ctx, l.Worker(), alarm, queue), alarm.Close())
		})
	}
	running.Wait()
	for a, ok := queue.take(); ok; a, ok = queue.take() { // what no worker came to
		workers[0].cutOff(a)
	}
	s := Share{Arrived: Arrived{Rate: l.Rate}}
	all, late := newHistogram(), newHistogram()
	for _, w := range workers {
		w.addTo(&s, all)
		late.Merge(w.late)
		s.Arrived.Cut += w.cut
		s.Arrived.Saturated = s.Arrived.Saturated || w.behind
	}
	s.Arrived.Calls = all.TotalCount()
	s.Arrived.Late = quantile(late, 99)
	s.Latencies = all.Export()
	return s, errors.Join(errs...)
}

// openWorker is used by one goroutine.
type openWorker struct {
	worker
	late   *hdrhistogram.Histogram // how late calls began that it was there for
	cut    int64
	behind bool // it came to a call when no more arrived
}

func (w *openWorker) run(ctx context.Context, call func(context.Context) error, alarm alarm, queue *arrivals) error {
	for {
		a, ok := queue.take()
		if !ok {
			return nil
		}
		if wait := time.Until(a.due); wait > 0 {
			if err := alarm.sleep(wait); err != nil {
				return err
			}
			record(w.late, time.Since(a.due))
		}
		if ctx.Err() != nil {
			w.cutOff(a)
			return nil
		}
		w.behind = w.behind || a.late
		err := call(ctx)
		took := time.Since(a.due)
		switch {
		case err != nil && ctx.Err() != nil:
			w.cutOff(a)
		case err != nil:
			w.fail(err)
		case a.counts:
			record(w.latencies, took)
		}
	}
}

// cutOff counts a call that has not ended.
func (w *openWorker) cutOff(a arrival) {
	w.cut++
	w.behind = true
	if a.counts {
		record(w.latencies, time.Since(a.due))
	}
}
