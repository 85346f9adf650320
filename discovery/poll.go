package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// poll looks at one service again and again, and tells its watchers what has
// changed.
type poll struct {
	poller  *poller
	service string
	look    look
	feed    feed
	readers int             // guarded by poller.mu
	asked   chan chan error // by refresh: to look now, and say how it went

	ctx     context.Context // of run
	stop    context.CancelFunc
	stopped chan struct{} // closed when run has returned

	// Owned by run.
	last     listing
	failures int  // in a row
	told     bool // of the trouble, in the log

	mu    sync.Mutex // guards all below, which run alone writes
	looks int
	heard time.Time // when a look last succeeded
	err   error     // of the last look
}

func newPoll(p *poller, service string) *poll {
	shared := &poll{poller: p, service: service, look: p.open(service), asked: make(chan chan error), stopped: make(chan struct{})}
	shared.ctx, shared.stop = context.WithCancel(context.Background())
	shared.feed.expect(service)
	return shared
}

// run is the goroutine of p. It ends with p.ctx, whether the last watcher has
// left or the registry is closed; in the second case there is still somebody
// to be told.
func (p *poll) run() {
	defer close(p.stopped)
	var answer chan error // whoever waits for the next look; nil: nobody
	for p.ctx.Err() == nil {
		found, err := p.look(p.ctx)
		if p.ctx.Err() != nil {
			break // it failed because it was told to stop
		}
		now := time.Now()
		if err != nil {
			err = fmt.Errorf("discovery: instances of %s: %w", p.service, err)
			p.fail(err)
		} else {
			p.update(found, now)
		}
		if answer != nil {
			answer <- err // there is room for it
			answer = nil
		}
		p.tell(err, now)
		select {
		case <-time.After(p.pause()):
		case answer = <-p.asked:
		case <-p.ctx.Done():
		}
	}
	p.feed.fail(p.service, p.heard, ErrClosed)
}

// refresh has run look once more, and returns what came of it: nil if p ends
// before, since then nobody has its list any more.
func (p *poll) refresh(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case p.asked <- answer: // between two looks: one under way may have slept, too
	case <-p.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-p.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// update publishes what was found, unless everybody knows it.
func (p *poll) update(found listing, now time.Time) {
	changed := found.adopt(p.last) || p.heard.IsZero()
	recovered := p.failures > 0
	p.last, p.failures = found, 0
	p.mu.Lock()
	p.looks++
	p.heard, p.err = now, nil
	p.mu.Unlock()
	if !changed && !recovered {
		return
	}
	revision := p.feed.latest.Load().snapshot.Revision
	if changed {
		revision = p.poller.revision.Add(1)
	}
	p.feed.publish(Snapshot{
		Service:   p.service,
		Revision:  revision,
		State:     Live,
		AsOf:      now,
		Instances: found.instances,
		Refused:   found.refused,
		Refusals:  found.refusals,
	}, nil)
}

// fail keeps the last good listing. Only the first failure of a row is
// published; the state shows the latest.
func (p *poll) fail(err error) {
	p.failures++
	p.mu.Lock()
	p.looks++
	p.err = err
	p.mu.Unlock()
	if p.failures == 1 {
		p.feed.fail(p.service, p.heard, err)
	}
}

// tell logs that the trouble began or ended. What there is no room for in the
// log is left to the next look.
func (p *poll) tell(err error, now time.Time) {
	if p.told == (err != nil) || !p.poller.maySpeak(now) {
		return
	}
	p.told = err != nil
	latest := p.feed.latest.Load().snapshot
	log := p.poller.log.With("service", p.service)
	if err != nil {
		log.Warn("instance list cannot be kept up to date", "state", latest.State, "asOf", p.heard, "error", err)
	} else {
		log.Info("instance list is live", "revision", latest.Revision, "instances", len(latest.Instances))
	}
}

// pause is how long to wait for the next look: the interval, or less while
// there is trouble, from a second on and doubling. Jitter makes it up to a
// fifth shorter, so that processes that began together do not stay together.
func (p *poll) pause() time.Duration {
	d := p.poller.interval
	if p.failures > 0 {
		d = min(d, time.Second<<min(p.failures-1, 16))
	}
	return d - rand.N(d/5+1)
}

// watchState is what is known of one watched service, for people.
type watchState struct {
	Service   string    `json:"service"`
	State     State     `json:"state"`
	Revision  int64     `json:"revision"`
	AsOf      time.Time `json:"asOf,omitzero"` // when a look last succeeded
	Instances int       `json:"instances"`
	Refused   int       `json:"refused,omitempty"`
	Looks     int       `json:"looks"`
	Readers   int       `json:"readers"` // iterators
	Error     string    `json:"error,omitempty"`
}

func (p *poll) state() watchState {
	latest := p.feed.latest.Load().snapshot
	p.mu.Lock()
	defer p.mu.Unlock()
	w := watchState{
		Service:   p.service,
		State:     latest.State,
		Revision:  latest.Revision,
		AsOf:      p.heard,
		Instances: len(latest.Instances),
		Refused:   latest.Refused,
		Looks:     p.looks,
	}
	if p.err != nil {
		w.Error = p.err.Error()
	}
	return w
}
