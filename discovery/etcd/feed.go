package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// coalesce is the least time between two changes of a list that readers are
// told of. The first after a rest is told at once.
const coalesce = 100 * time.Millisecond

// feed is what is known of one service, shared by all who watch it. It is
// written by the goroutines of its listWatches and read by any number of
// iterators, which take no lock. There is no queue between them: an iterator
// that comes back late finds the latest report.
type feed struct {
	service string
	log     *slog.Logger
	heard   func() time.Time   // when etcd last proved that it answers
	readers int                // guarded by Registry.mu
	stop    context.CancelFunc // ends the goroutines
	running sync.WaitGroup     // the goroutines
	records *listWatch         // of the instances; nil in tests

	report atomic.Pointer[report] // the latest

	mu        sync.Mutex // guards all below
	instances *instances
	overrides overrides
	listed    bool // all instances were read once
	state     discovery.State
	since     time.Time // of state
	revision  int64
	asOf      time.Time
	proved    time.Time // when the session began in which etcd last said it
	err       error     // what is wrong; nil: nothing
	lists     int
	published time.Time
	pending   *time.Timer // a change that waits for its turn; nil: there is none
	closed    bool
}

// report is what an iterator yields next.
type report struct {
	snapshot discovery.Snapshot
	err      error
	version  uint64        // 0: nothing is known yet
	proved   time.Time     // as in feed
	last     bool          // the registry was closed
	outdated chan struct{} // closed when there is a later report
}

func newFeed(k keys, service string, most int, log *slog.Logger, heard func() time.Time) *feed {
	log = log.With("service", service)
	f := &feed{
		service:   service,
		log:       log,
		heard:     heard,
		since:     time.Now(),
		instances: newInstances(service, k.service(service), most, log),
		overrides: overrides{prefix: k.overrides(service), written: map[string]Override{}, refusals: map[string]error{}},
	}
	f.report.Store(&report{snapshot: discovery.Snapshot{Service: service}, outdated: make(chan struct{})})
	return f
}

func (f *feed) latest() *report { return f.report.Load() }

// replace implements sink for the instances.
func (f *feed) replace(all []*mvccpb.KeyValue, revision int64) {
	f.update(revision, func() {
		f.instances.replace(all)
		f.listed = true
		f.lists++
	})
}

// apply implements sink for the instances.
func (f *feed) apply(events []*mvccpb.Event, revision int64) {
	f.update(revision, func() {
		for _, e := range events {
			f.instances.apply(e)
		}
	})
}

// update makes a change that etcd told of. It becomes visible as a whole.
func (f *feed) update(revision int64, change func()) {
	now := time.Now()
	f.mu.Lock()
	change()
	f.revision, f.asOf, f.err = revision, now, nil
	if f.records != nil && f.records.since != nil { // the caller is its goroutine, or that goroutine waits for it
		f.proved = f.records.since.began
	}
	recovered := f.goLiveLocked(now)
	if !recovered {
		f.changedLocked(now)
	}
	records := len(f.instances.entries)
	f.mu.Unlock()
	if recovered {
		f.log.Info("instance list is live", "revision", revision, "records", records)
	}
}

// goLiveLocked publishes the list as live if it was not and now is: when both
// the instances and what the operator says of them are known.
func (f *feed) goLiveLocked(now time.Time) bool {
	if f.state == discovery.Live || !f.listed || !f.overrides.settled || f.err != nil {
		return false
	}
	f.state, f.since = discovery.Live, now
	f.publishLocked(now)
	return true
}

// isMoreOf reports whether an error is more of the last trouble, nil if there was
// none: an etcd that was away and now refuses, or the other way round, is another.
func isMoreOf(last, err error) bool {
	return last != nil && errors.Is(last, discovery.ErrUnauthorized) == errors.Is(err, discovery.ErrUnauthorized)
}

// trouble implements sink for the instances. Of a row only the first is told.
func (f *feed) trouble(err error) {
	err = fmt.Errorf("discovery/etcd: instances of %s: %w", f.service, err)
	heard := f.heard()
	f.mu.Lock()
	if isMoreOf(f.err, err) {
		f.mu.Unlock()
		return
	}
	f.err = err
	if f.state == discovery.Live {
		f.state, f.since = discovery.Stale, time.Now()
		if heard.After(f.asOf) {
			f.asOf = heard
		}
	}
	f.publishLocked(time.Now())
	state, asOf := f.state, f.asOf
	f.mu.Unlock()
	f.log.Warn("instance list cannot be kept up to date", "state", state, "asOf", asOf, "error", err)
}

// changedLocked tells of a change, at once or when it is its turn.
func (f *feed) changedLocked(now time.Time) {
	if f.state != discovery.Live || f.pending != nil || f.closed {
		return // not known as a whole yet, or told with the one that waits
	}
	if wait := coalesce - now.Sub(f.published); wait > 0 {
		f.pending = time.AfterFunc(wait, f.flush)
		return
	}
	f.publishLocked(now)
}

func (f *feed) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending != nil {
		f.publishLocked(time.Now())
	}
}

// publishLocked replaces the latest report.
func (f *feed) publishLocked(now time.Time) {
	if f.pending != nil {
		f.pending.Stop()
		f.pending = nil
	}
	s := discovery.Snapshot{Service: f.service, Revision: f.revision, State: f.state, AsOf: f.asOf}
	f.instances.fill(&s)
	last := f.report.Load()
	f.report.Store(&report{snapshot: s, err: f.err, version: last.version + 1, proved: f.proved, last: f.closed, outdated: make(chan struct{})})
	f.published = now
	close(last.outdated)
}

// end ends the feed's goroutines and waits for them. An error is what readers
// are told last.
func (f *feed) end(err error) {
	f.stop()
	f.running.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if err != nil {
		if f.err = err; f.state == discovery.Live {
			f.state = discovery.Stale // nobody looks after it any more
		}
		f.publishLocked(time.Now())
	}
	for _, t := range []*time.Timer{f.pending, f.overrides.ending} {
		if t != nil {
			t.Stop()
		}
	}
}
