package discovery

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"
)

// feed is what the watchers of one service see: the latest report, and the
// news that there is a later one. Publishing never waits for a watcher, and a
// watcher that comes back late finds the last report, not a queue of them.
// There is no goroutine in it. It has to be published to, or told what to
// expect, before it is watched.
type feed struct {
	latest atomic.Pointer[report]
}

type report struct {
	snapshot Snapshot
	err      error
	silent   bool          // nothing is known yet, so there is nothing to yield
	outdated chan struct{} // closed once there is a later report
}

// expect makes watchers wait for the first report on service.
func (f *feed) expect(service string) {
	f.latest.Store(&report{snapshot: Snapshot{Service: service}, silent: true, outdated: make(chan struct{})})
}

// publish replaces the latest report. Who calls it from several goroutines
// owes the order.
func (f *feed) publish(s Snapshot, err error) {
	next := &report{snapshot: s, err: err, outdated: make(chan struct{})}
	if previous := f.latest.Swap(next); previous != nil {
		close(previous.outdated)
	}
}

// fail reports err with the last good set of service, if there was one, which
// was known to be true at asOf.
func (f *feed) fail(service string, asOf time.Time, err error) {
	last := Snapshot{Service: service}
	if r := f.latest.Load(); r != nil {
		last = r.snapshot
	}
	f.publish(last.stale(asOf), err)
}

// watch yields the latest report and every later one that it is there in time
// for, as [Registry].Watch wants it.
func (f *feed) watch(ctx context.Context) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		for ctx.Err() == nil {
			r := f.latest.Load()
			if !r.silent && !yield(r.snapshot, r.err) || errors.Is(r.err, ErrClosed) {
				return
			}
			select {
			case <-r.outdated:
			case <-ctx.Done():
			}
		}
	}
}

// refuse is the watch of a service that cannot be watched: one error, and the
// end.
func refuse(service string, err error) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		yield(Snapshot{Service: service}, err)
	}
}
