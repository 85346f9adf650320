package discovery

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// look asks once what instances a service has. It is called by one goroutine
// at a time and ends soon after ctx.
type look func(ctx context.Context) (listing, error)

// poller is the part of a registry that has to ask again and again. All who
// watch a service share one [poll], which begins with the first of them and
// ends with the last; without watchers nothing runs.
type poller struct {
	open     func(service string) look // at the beginning of each poll
	interval time.Duration
	log      *slog.Logger
	revision atomic.Int64   // changes seen so far, of all services
	running  sync.WaitGroup // the goroutines of all polls

	mu      sync.Mutex // guards all below
	closing bool
	polls   map[string]*poll // by service; those that are watched
	spoke   time.Time        // when something was logged last
}

func newPoller(interval time.Duration, log *slog.Logger, open func(service string) look) *poller {
	return &poller{open: open, interval: interval, log: log, polls: map[string]*poll{}}
}

// watch is [Registry].Watch of a service with a good name.
func (p *poller) watch(ctx context.Context, service string) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		shared := p.join(service)
		if shared == nil {
			yield(Snapshot{Service: service}, ErrClosed)
			return
		}
		defer p.leave(shared)
		shared.feed.watch(ctx)(yield)
	}
}

// join returns the poll of service with one reader more, or nil after close.
func (p *poller) join(service string) *poll {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return nil
	}
	shared := p.polls[service]
	if shared == nil {
		shared = newPoll(p, service)
		p.polls[service] = shared
		p.running.Go(shared.run)
	}
	shared.readers++
	return shared
}

// leave takes one reader from a poll. The last one waits until its goroutine
// has ended.
func (p *poller) leave(shared *poll) {
	p.mu.Lock()
	shared.readers--
	last := shared.readers == 0
	if last {
		delete(p.polls, shared.service)
	}
	p.mu.Unlock()
	if last {
		shared.stop()
		<-shared.stopped
	}
}

// refresh makes the list of a watched service as fresh as can be. It returns
// nil once a look that began after the call has been published, or where nobody
// watches: whoever does then gets a new list.
func (p *poller) refresh(ctx context.Context, service string) error {
	p.mu.Lock()
	shared := p.polls[service]
	p.mu.Unlock()
	if shared != nil {
		if err := shared.refresh(ctx); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return ErrClosed
	}
	return nil
}

// close ends all watches with [ErrClosed] and waits, at most for ctx, until
// nothing runs any more. It can be called again.
func (p *poller) close(ctx context.Context) error {
	p.mu.Lock()
	p.closing = true
	for _, shared := range p.polls {
		shared.stop()
	}
	p.mu.Unlock()

	ended := make(chan struct{})
	go func() { // ends with the polls
		p.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maySpeak keeps all polls together to one line of the log per second.
func (p *poller) maySpeak(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.spoke.IsZero() && now.Sub(p.spoke) < time.Second {
		return false
	}
	p.spoke = now
	return true
}

// state is what is known of each watched service.
func (p *poller) state() []watchState {
	p.mu.Lock()
	defer p.mu.Unlock()
	watches := make([]watchState, 0, len(p.polls))
	for _, service := range slices.Sorted(maps.Keys(p.polls)) {
		shared := p.polls[service]
		w := shared.state()
		w.Readers = shared.readers
		watches = append(watches, w)
	}
	return watches
}
