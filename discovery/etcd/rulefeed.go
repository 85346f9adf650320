package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// ruleFeed is what is known of the rules of one service, shared by all who
// follow them. It is written by the goroutine of its listWatch.
type ruleFeed struct {
	log     *slog.Logger
	readers int                // guarded by Registry.mu
	stop    context.CancelFunc // ends the goroutine
	running sync.WaitGroup     // the goroutine

	report atomic.Pointer[ruleReport] // the latest
	mu     sync.Mutex                 // held to replace it
}

// ruleReport is what an iterator yields next.
type ruleReport struct {
	document rule.Document
	err      error
	known    bool          // else there is nothing to yield yet
	last     bool          // the registry was closed
	outdated chan struct{} // closed when there is a later report
}

func newRuleFeed(service string, log *slog.Logger) *ruleFeed {
	f := &ruleFeed{log: log.With("service", service)}
	f.report.Store(&ruleReport{document: rule.Document{Service: service}, outdated: make(chan struct{})})
	return f
}

// replace implements sink.
func (f *ruleFeed) replace(all []*mvccpb.KeyValue, _ int64) {
	f.update(func(r *ruleReport) {
		r.document.Text, r.document.Revision = nil, 0
		for _, kv := range all { // there is one key
			r.put(kv)
		}
	})
}

// apply implements sink.
func (f *ruleFeed) apply(events []*mvccpb.Event, _ int64) {
	f.update(func(r *ruleReport) {
		for _, e := range events {
			if e.Type == mvccpb.Event_DELETE {
				r.document.Text, r.document.Revision = nil, 0
			} else {
				r.put(e.Kv)
			}
		}
	})
}

func (r *ruleReport) put(kv *mvccpb.KeyValue) {
	r.document.Text, r.document.Revision = kv.Value, kv.ModRevision
	if kv.Value == nil {
		r.document.Text = []byte{} // an empty document is one
	}
}

// update makes a change that etcd told of.
func (f *ruleFeed) update(change func(*ruleReport)) {
	f.publish(func(r *ruleReport) {
		change(r)
		r.document.Live, r.err = true, nil
	})
}

// trouble implements sink. Of a row only the first is told, and where an etcd
// that was away now refuses, or the other way round.
func (f *ruleFeed) trouble(err error) {
	err = fmt.Errorf("discovery/etcd: rules of %s: %w", f.report.Load().document.Service, err)
	changed := f.publish(func(r *ruleReport) {
		if r.err == nil || errors.Is(r.err, discovery.ErrUnauthorized) != errors.Is(err, discovery.ErrUnauthorized) {
			r.err = err
		}
		r.document.Live = false
	})
	if changed {
		f.log.Warn("rules cannot be kept up to date", "error", err)
	}
}

// publish replaces the latest report if a change makes another of it.
func (f *ruleFeed) publish(change func(*ruleReport)) (changed bool) {
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
func (f *ruleFeed) end(err error) {
	f.stop()
	f.running.Wait()
	if err != nil {
		f.publish(func(r *ruleReport) { r.err, r.last, r.document.Live = err, true, false })
	}
}
