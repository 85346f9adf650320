package etcd

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/rule"
)

// documentFeed is what is known of one document, the rules of a service or the
// settings, shared by all who follow it. It is written by the goroutine of its
// listWatch.
type documentFeed struct {
	key     string
	lost    error // that the store has forgotten it
	log     *slog.Logger
	readers int                // guarded by Registry.mu
	stop    context.CancelFunc // ends the goroutine
	running sync.WaitGroup     // the goroutine

	report atomic.Pointer[documentReport] // the latest
	mu     sync.Mutex                     // held to replace it
}

// documentReport is what an iterator yields next.
type documentReport struct {
	document rule.Document
	err      error
	known    bool // else there is nothing to yield yet
	// forgotten says that the store is younger than the document and does not
	// have it. It ends when somebody writes the document, or deletes it.
	forgotten bool
	last      bool          // the registry was closed
	outdated  chan struct{} // closed when there is a later report
}

func newDocumentFeed(key, service string, log *slog.Logger) *documentFeed {
	f := &documentFeed{key: key, log: log.With("key", key)}
	f.lost = fmt.Errorf("discovery/etcd: %s: etcd has lost the document, which holds until it is written again", key)
	f.report.Store(&documentReport{document: rule.Document{Service: service, Origin: "etcd"}, outdated: make(chan struct{})})
	return f
}

// replace implements sink.
func (f *documentFeed) replace(all []*mvccpb.KeyValue, revision int64) {
	f.update(func(r *documentReport) {
		if d := &r.document; len(all) == 0 && (r.forgotten || d.Text != nil && revision < d.Revision) {
			// The store was wiped, or restored from before the document was
			// written: that it is not there is nobody's word.
			r.forgotten = true
			return
		}
		r.remove()
		for _, kv := range all { // there is one key
			r.put(kv)
		}
	})
}

// apply implements sink.
func (f *documentFeed) apply(events []*mvccpb.Event, _ int64) {
	f.update(func(r *documentReport) {
		for _, e := range events {
			if e.Type == mvccpb.Event_DELETE {
				r.remove()
			} else {
				r.put(e.Kv)
			}
		}
	})
}

func (r *documentReport) remove() {
	r.document.Text, r.document.Revision, r.forgotten = nil, 0, false
}

func (r *documentReport) put(kv *mvccpb.KeyValue) {
	r.document.Text, r.document.Revision, r.forgotten = kv.Value, kv.ModRevision, false
	if kv.Value == nil {
		r.document.Text = []byte{} // an empty document is one
	}
}

// update makes a change that etcd told of.
func (f *documentFeed) update(change func(*documentReport)) {
	changed := f.publish(func(r *documentReport) {
		change(r)
		if r.document.Live, r.err = !r.forgotten, nil; r.forgotten {
			r.err = f.lost
		}
	})
	if changed && f.report.Load().forgotten {
		f.log.Warn("document is missing from a store that is younger", "error", f.lost)
	}
}

// trouble implements sink. Of a row only the first is told, see isMoreOf.
func (f *documentFeed) trouble(err error) {
	err = fmt.Errorf("discovery/etcd: %s: %w", f.key, err)
	changed := f.publish(func(r *documentReport) {
		if !isMoreOf(r.err, err) {
			r.err = err
		}
		r.document.Live = false
	})
	if changed {
		f.log.Warn("document cannot be kept up to date", "error", err)
	}
}

// publish replaces the latest report if a change makes another of it.
func (f *documentFeed) publish(change func(*documentReport)) (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.report.Load()
	next := *last
	change(&next)
	next.known, next.outdated = true, make(chan struct{})
	if last.known && !next.last && next.err == last.err && next.document.Live == last.document.Live && next.document.Revision == last.document.Revision && bytes.Equal(next.document.Text, last.document.Text) {
		return false
	}
	f.report.Store(&next)
	close(last.outdated)
	return true
}

// end ends the feed's goroutine and waits for it. An error is what readers are
// told last.
func (f *documentFeed) end(err error) {
	f.stop()
	f.running.Wait()
	if err != nil {
		f.publish(func(r *documentReport) { r.err, r.last, r.document.Live = err, true, false })
	}
}
