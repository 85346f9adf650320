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
	return func(yield func(rule.Document, error) bool) {
		if err := discovery.ValidateService(service); err != nil {
			yield(rule.Document{Service: service}, err)
			return
		}
		f := r.joinRules(service)
		if f == nil {
			yield(rule.Document{Service: service}, discovery.ErrClosed)
			return
		}
		defer r.leaveRules(service, f)
		var told *ruleReport
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

// joinRules returns the feed of a service's rules with one reader more, or nil
// after Close.
func (r *Registry) joinRules(service string) *ruleFeed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return nil
	}
	f := r.rules[service]
	if f == nil {
		r.linkLocked()
		f = newRuleFeed(service, r.config.Logger)
		r.rules[service] = f
		ctx, cancel := context.WithCancel(r.ctx)
		f.stop = cancel
		w := &listWatch{keys: just(r.keys.rule(service)), link: r.link, sink: f}
		f.running.Go(func() { w.run(ctx) })
	}
	f.readers++
	return f
}

// leaveRules takes one reader away. The last one waits for the goroutine.
func (r *Registry) leaveRules(service string, f *ruleFeed) {
	r.mu.Lock()
	f.readers--
	last := f.readers == 0 && r.rules[service] == f
	if last {
		delete(r.rules, service)
	}
	r.mu.Unlock()
	if last {
		f.end(nil)
	}
}
