package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// feed is what is known of one service, shared by all who watch it. It is
// written by the goroutine of one listWatch and read by any number of
// iterators. There is no queue between them: an iterator that comes back late
// finds the latest state, and a snapshot is made when somebody wants it.
type feed struct {
	service string
	log     *slog.Logger
	heard   func() time.Time   // when etcd last proved that it answers
	readers int                // guarded by Registry.mu
	stop    context.CancelFunc // ends the goroutine
	stopped chan struct{}      // closed when it has ended

	mu        sync.Mutex // guards all below
	instances instances
	state     discovery.State
	since     time.Time // of state
	revision  int64
	asOf      time.Time
	err       error // what is wrong; nil: nothing
	lists     int
	version   uint64              // counts what an iterator has to tell
	snapshot  *discovery.Snapshot // of version; nil: not made yet
	changed   broadcast
}

// report is what an iterator yields next.
type report struct {
	snapshot discovery.Snapshot
	err      error
	version  uint64          // 0: nothing is known yet
	outdated <-chan struct{} // closed when there is a later report
}

func newFeed(service, prefix string, log *slog.Logger, heard func() time.Time) *feed {
	log = log.With("service", service)
	return &feed{
		service:   service,
		log:       log,
		heard:     heard,
		stopped:   make(chan struct{}),
		since:     time.Now(),
		instances: instances{service: service, prefix: prefix, log: log},
	}
}

func (f *feed) latest() report {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.snapshot == nil {
		s := discovery.Snapshot{Service: f.service, Revision: f.revision, State: f.state, AsOf: f.asOf}
		f.instances.fill(&s)
		f.snapshot = &s
	}
	return report{snapshot: *f.snapshot, err: f.err, version: f.version, outdated: f.changed.next()}
}

// replace implements sink.
func (f *feed) replace(all []*mvccpb.KeyValue, revision int64) {
	f.update(revision, func() {
		f.instances.replace(all)
		f.lists++
	})
}

// apply implements sink.
func (f *feed) apply(events []*clientv3.Event, revision int64) {
	f.update(revision, func() {
		for _, e := range events {
			f.instances.apply((*mvccpb.Event)(e))
		}
	})
}

// update makes a change that etcd told of. It becomes visible as a whole.
func (f *feed) update(revision int64, change func()) {
	now := time.Now()
	f.mu.Lock()
	change()
	recovered := f.state != discovery.Live
	if recovered {
		f.state, f.since = discovery.Live, now
	}
	f.revision, f.asOf, f.err = revision, now, nil
	f.publishLocked()
	records := len(f.instances.entries)
	f.mu.Unlock()
	if recovered {
		f.log.Info("instance list is live", "revision", revision, "records", records)
	}
}

// trouble implements sink. Only the first of a row is told.
func (f *feed) trouble(err error) {
	err = fmt.Errorf("discovery/etcd: instances of %s: %w", f.service, err)
	heard := f.heard()
	f.mu.Lock()
	if f.err != nil {
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
	f.publishLocked()
	state, asOf := f.state, f.asOf
	f.mu.Unlock()
	f.log.Warn("instance list cannot be kept up to date", "state", state, "asOf", asOf, "error", err)
}

func (f *feed) publishLocked() {
	f.version++
	f.snapshot = nil
	f.changed.tell()
}
