package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// clientFeed is what is known of those who call one service, shared by all who
// watch them. It is written by the goroutine of its listWatch; each reader makes
// a list of its own when it comes for one.
type clientFeed struct {
	service string
	log     *slog.Logger
	heard   func() time.Time   // when etcd last proved that it answers
	readers int                // guarded by Registry.mu
	stop    context.CancelFunc // ends the goroutine
	running sync.WaitGroup     // the goroutine
	records *listWatch         // nil in tests

	mu       sync.Mutex // guards all below
	clients  clientSet
	state    discovery.State
	since    time.Time // of state
	revision int64
	asOf     time.Time
	err      error // what is wrong; nil: nothing
	lists    int
	version  uint64 // grows with what readers are told; 0: nothing is known yet
	closed   bool
	changed  broadcast
}

func newClientFeed(k keys, service, self string, log *slog.Logger, heard func() time.Time) *clientFeed {
	return &clientFeed{
		service: service, log: log.With("service", service), heard: heard, since: time.Now(),
		clients: newClientSet(k.clients(service), self),
	}
}

// replace implements sink.
func (f *clientFeed) replace(all []*mvccpb.KeyValue, revision int64) {
	f.update(revision, func() bool {
		f.lists++
		return f.clients.replace(all)
	})
}

// apply implements sink.
func (f *clientFeed) apply(events []*mvccpb.Event, revision int64) {
	f.update(revision, func() (changed bool) {
		for _, e := range events {
			changed = f.clients.apply(e) || changed
		}
		return changed
	})
}

// update makes a change that etcd told of, if it is one. Readers see it as a
// whole.
func (f *clientFeed) update(revision int64, change func() bool) {
	f.mu.Lock()
	refused, beyond, recovered := len(f.clients.refused), f.clients.beyond, f.state != discovery.Live
	changed := change()
	f.revision, f.asOf, f.err = revision, time.Now(), nil
	if recovered {
		f.state, f.since = discovery.Live, f.asOf
	}
	if changed || recovered {
		f.tellLocked()
	}
	clients, nowRefused, flooded := f.clients.number(), len(f.clients.refused), f.clients.beyond > 0 && beyond == 0
	f.mu.Unlock()
	if recovered {
		f.log.Info("client list is live", "revision", revision, "clients", clients)
	}
	if nowRefused > refused {
		f.log.Warn("client records skipped", "refused", nowRefused)
	}
	if flooded {
		f.log.Warn("more clients than are kept; the rest is only counted", "most", discovery.MaxClients)
	}
}

// trouble implements sink. Of a row only the first is told, see isMoreOf.
func (f *clientFeed) trouble(err error) {
	err = fmt.Errorf("discovery/etcd: clients of %s: %w", f.service, err)
	heard := f.heard()
	f.mu.Lock()
	if isMoreOf(f.err, err) {
		f.mu.Unlock()
		return
	}
	f.err = err
	if f.state == discovery.Live && heard.After(f.asOf) {
		f.asOf = heard
	}
	f.staleLocked()
	f.tellLocked()
	state, asOf := f.state, f.asOf
	f.mu.Unlock()
	f.log.Warn("client list cannot be kept up to date", "state", state, "asOf", asOf, "error", err)
}

func (f *clientFeed) staleLocked() {
	if f.state == discovery.Live {
		f.state, f.since = discovery.Stale, time.Now()
	}
}

func (f *clientFeed) tellLocked() {
	f.version++
	f.changed.tell()
}

// read returns what is known if it is not what a reader was told last, and a
// channel that is closed when there is more.
func (f *clientFeed) read(told uint64) (c discovery.Clients, version uint64, last bool, more <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version != told {
		c = discovery.Clients{Service: f.service, Revision: f.revision, State: f.state, AsOf: f.asOf}
		f.clients.fill(&c)
	}
	return c, f.version, f.closed, f.changed.next(), f.err
}

// end ends the feed's goroutine and waits for it. An error is what readers are
// told last.
func (f *clientFeed) end(err error) {
	f.stop()
	f.running.Wait()
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed, f.err = true, err
	f.staleLocked() // nobody looks after it any more
	f.tellLocked()
}
