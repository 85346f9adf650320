package etcd

import (
	"context"
	"iter"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

var _ rule.Source = (*Registry)(nil)

// Rules implements [rule.Source]: the document of a service stands under
// <prefix>rules/<service>. All who follow the rules of a service share one watch
// of etcd, which begins with the first of them and ends with the last.
func (r *Registry) Rules(ctx context.Context, service string) iter.Seq2[rule.Document, error] {
	if err := discovery.ValidateService(service); err != nil {
		return func(yield func(rule.Document, error) bool) { yield(rule.Document{Service: service}, err) }
	}
	return r.document(ctx, r.keys.rule(service), service)
}

// Settings yields the settings of all services, which stand under
// <prefix>settings, in the way of Rules.
func (r *Registry) Settings(ctx context.Context) iter.Seq2[rule.Document, error] {
	return r.document(ctx, r.keys.settings(), "")
}

func (r *Registry) document(ctx context.Context, key, service string) iter.Seq2[rule.Document, error] {
	return func(yield func(rule.Document, error) bool) {
		f := r.joinDocument(key, service)
		if f == nil {
			yield(rule.Document{Service: service}, discovery.ErrClosed)
			return
		}
		defer r.leaveDocument(key, f)
		var told *documentReport
		for ctx.Err() == nil {
			latest := f.report.Load()
			switch {
			case latest.known && latest != told:
				told = latest
				if !yield(latest.document, latest.err) || latest.last {
					return
				}
			default:
				select {
				case <-latest.outdated:
				case <-ctx.Done():
				}
			}
		}
	}
}

// joinDocument returns the feed of a document with one reader more, or nil after
// Close.
func (r *Registry) joinDocument(key, service string) *documentFeed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return nil
	}
	f := r.documents[key]
	if f == nil {
		r.linkLocked()
		f = newDocumentFeed(key, service, r.config.Logger)
		r.documents[key] = f
		ctx, cancel := context.WithCancel(r.ctx)
		f.stop = cancel
		w := &listWatch{keys: just(key), link: r.link, sink: f}
		f.running.Go(func() { w.run(ctx) })
	}
	f.readers++
	return f
}

// leaveDocument takes one reader away. The last one waits for the goroutine.
func (r *Registry) leaveDocument(key string, f *documentFeed) {
	r.mu.Lock()
	f.readers--
	last := f.readers == 0 && r.documents[key] == f
	if last {
		delete(r.documents, key)
	}
	r.mu.Unlock()
	if last {
		f.end(nil)
	}
}
