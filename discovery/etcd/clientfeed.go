package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
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
	prefix  string // of the keys
	self    string // the ID of this process
	log     *slog.Logger
	heard   func() time.Time   // when etcd last proved that it answers
	readers int                // guarded by Registry.mu
	stop    context.CancelFunc // ends the goroutine
	running sync.WaitGroup     // the goroutine
	records *listWatch         // nil in tests

	mu       sync.Mutex // guards all below
	clients  map[string]demand
	refused  map[string]error // by what comes after prefix: those that cannot be understood
	beyond   int              // keys of which nothing is kept, since there are too many
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
		service: service, prefix: k.clients(service), self: self, log: log.With("service", service), heard: heard,
		since: time.Now(), clients: map[string]demand{}, refused: map[string]error{},
	}
}

// replace implements sink.
func (f *clientFeed) replace(all []*mvccpb.KeyValue, revision int64) {
	f.update(revision, func() (changed bool) {
		f.lists++
		here := make(map[string]bool, len(all))
		for _, kv := range all {
			here[f.id(kv)] = true
		}
		changed = f.beyond > 0
		f.beyond = 0
		for _, id := range slices.Concat(slices.Collect(maps.Keys(f.clients)), slices.Collect(maps.Keys(f.refused))) {
			if !here[id] {
				changed = f.remove(id) || changed
			}
		}
		for _, kv := range all {
			changed = f.put(kv, true) || changed
		}
		return changed
	})
}

// apply implements sink.
func (f *clientFeed) apply(events []*mvccpb.Event, revision int64) {
	f.update(revision, func() (changed bool) {
		for _, e := range events {
			if e.Type == mvccpb.Event_DELETE {
				changed = f.remove(f.id(e.Kv)) || changed
			} else {
				changed = f.put(e.Kv, e.Kv.CreateRevision == e.Kv.ModRevision) || changed
			}
		}
		return changed
	})
}

// id is what a key is known by: what comes after the prefix.
func (f *clientFeed) id(kv *mvccpb.KeyValue) string {
	return strings.TrimPrefix(string(kv.Key), f.prefix)
}

// put takes in a record, which is new or not. It reports whether it says
// something that the last did not.
func (f *clientFeed) put(kv *mvccpb.KeyValue, isNew bool) (changed bool) {
	id := f.id(kv)
	before, client := f.clients[id]
	_, refused := f.refused[id]
	if !client && !refused && len(f.clients)+len(f.refused) >= discovery.MaxClients {
		if isNew {
			f.beyond++
		}
		return isNew
	}
	c, err := decodeClient(kv)
	if !discovery.ValidID(id) {
		err = errors.New("key is not of the form clients/<service>/<id>")
	}
	if err != nil {
		delete(f.clients, id)
		f.refused[id] = err
		return !refused
	}
	delete(f.refused, id)
	f.clients[id] = c.Demand
	return !client || (before == nil) != (c.Demand == nil) || !maps.Equal(before, c.Demand)
}

// remove reports whether there was something. What is not kept is one of those
// that are counted: etcd tells of no deletion but of what was there.
func (f *clientFeed) remove(id string) bool {
	_, client := f.clients[id]
	_, refused := f.refused[id]
	delete(f.clients, id)
	delete(f.refused, id)
	if !client && !refused {
		if f.beyond == 0 {
			return false
		}
		f.beyond--
	}
	return true
}

// update makes a change that etcd told of, if it is one. Readers see it as a
// whole.
func (f *clientFeed) update(revision int64, change func() bool) {
	f.mu.Lock()
	refused, beyond, recovered := len(f.refused), f.beyond, f.state != discovery.Live
	changed := change()
	f.revision, f.asOf, f.err = revision, time.Now(), nil
	if recovered {
		f.state, f.since = discovery.Live, f.asOf
	}
	if changed || recovered {
		f.tellLocked()
	}
	clients := len(f.clients) + f.beyond
	moreRefused, firstBeyond, nowRefused := len(f.refused) > refused, f.beyond > 0 && beyond == 0, len(f.refused)
	f.mu.Unlock()
	if recovered {
		f.log.Info("client list is live", "revision", revision, "clients", clients)
	}
	if moreRefused {
		f.log.Warn("client records skipped", "refused", nowRefused)
	}
	if firstBeyond {
		f.log.Warn("more clients than are kept; the rest is only counted", "most", discovery.MaxClients)
	}
}

// trouble implements sink. Of a row only the first is told, and where an etcd
// that was away now refuses, or the other way round.
func (f *clientFeed) trouble(err error) {
	err = fmt.Errorf("discovery/etcd: clients of %s: %w", f.service, err)
	heard := f.heard()
	f.mu.Lock()
	if f.err != nil && errors.Is(f.err, discovery.ErrUnauthorized) == errors.Is(err, discovery.ErrUnauthorized) {
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
		c = f.listLocked()
	}
	return c, f.version, f.closed, f.changed.next(), f.err
}

func (f *clientFeed) listLocked() discovery.Clients {
	c := discovery.Clients{
		Service: f.service, Revision: f.revision, State: f.state, AsOf: f.asOf,
		Clients: make([]discovery.Client, 0, len(f.clients)), Number: len(f.clients) + f.beyond, Refused: len(f.refused),
	}
	for id, d := range f.clients {
		c.Clients = append(c.Clients, discovery.Client{ID: id, Self: id == f.self, Demand: d})
	}
	slices.SortFunc(c.Clients, func(a, b discovery.Client) int { return strings.Compare(a.ID, b.ID) })
	return c
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
