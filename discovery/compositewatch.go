package discovery

import (
	"context"
	"errors"
	"sync"
	"time"
)

// compositeWatch is one watch of a [Composite]. A goroutine per member listens
// to its watch and keeps what it said last; the consumer's own goroutine makes
// one list of all that.
type compositeWatch struct {
	composite *Composite
	service   string
	cancel    func()         // ends those who listen
	listening sync.WaitGroup // one goroutine per member
	news      chan struct{}  // holds one token if a member said something
	inUse     int            // the member that was in use last, under Prefer; read and written by run

	mu        sync.Mutex // guards all below
	said      []said     // by each member, in their order
	impatient bool       // who is silent still is waited for no longer
	latest    choice     // told last
}

// said is what a member said last.
type said struct {
	name     string
	heard    bool // it said something: not silent, and not cold for no reason
	ended    bool // it says no more
	snapshot Snapshot
	err      error // names the member
}

func newCompositeWatch(c *Composite, service string, cancel func()) *compositeWatch {
	w := &compositeWatch{composite: c, service: service, cancel: cancel, news: make(chan struct{}, 1), latest: choice{snapshot: Snapshot{Service: service}, used: -1}}
	for _, m := range c.members {
		w.said = append(w.said, said{name: m.name, snapshot: Snapshot{Service: service}})
	}
	return w
}

// listen follows the watch of member n until ctx is done or the watch gives up.
func (w *compositeWatch) listen(ctx context.Context, n int, r Registry) {
	for s, err := range r.Watch(ctx, w.service) {
		w.hear(n, func(m *said) {
			m.heard = s.State != Cold || err != nil
			m.snapshot, m.err = s, named(m.name, err)
		})
	}
	if ctx.Err() != nil {
		return
	}
	w.hear(n, func(m *said) {
		m.heard, m.ended = true, true
		m.snapshot = m.snapshot.stale(time.Now())
		if m.err == nil {
			m.err = named(m.name, errors.New("the watch has ended"))
		}
	})
}

func (w *compositeWatch) hear(n int, change func(*said)) {
	w.mu.Lock()
	change(&w.said[n])
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// run yields until ctx is done, the composite is closed, or all members have
// said their last.
func (w *compositeWatch) run(ctx context.Context, yield func(Snapshot, error) bool) {
	patience := time.NewTimer(w.composite.patience)
	defer patience.Stop()
	for {
		select {
		case <-w.news:
		case <-patience.C:
			w.mu.Lock()
			w.impatient = true
			w.mu.Unlock()
		case <-w.composite.ctx.Done():
			if ctx.Err() == nil {
				yield(w.latest.snapshot.stale(time.Now()), ErrClosed)
			}
			return
		case <-ctx.Done():
			return
		}
		next, changed, over := w.choose()
		if changed {
			w.logSwitch(next)
			if !yield(next.snapshot, next.err) {
				return
			}
		}
		if over {
			return
		}
	}
}

// choose makes one list of what the members said. It is changed if it is not
// the one told last, and over if nobody will say more.
func (w *compositeWatch) choose() (next choice, changed, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	over = true
	for _, m := range w.said {
		over = over && m.ended
	}
	next, ok := choose(w.composite.rule, w.service, w.said, w.impatient, time.Now())
	if !ok {
		return next, false, over
	}
	next.succeed(w.latest)
	if next.same(w.latest) {
		return next, false, over
	}
	w.latest = next
	return next, true, over
}

// logSwitch tells that another member is in use than before.
func (w *compositeWatch) logSwitch(next choice) {
	if w.composite.rule != Prefer || next.used < 0 || next.used == w.inUse {
		return
	}
	log := w.composite.logger.With("service", w.service, "registry", w.composite.members[next.used].name)
	if next.used < w.inUse {
		log.Info("fairlead: a preferred registry is in use again")
	} else {
		log.Warn("fairlead: a fallback registry is in use", "passedOver", next.passedOver)
	}
	w.inUse = next.used
}
