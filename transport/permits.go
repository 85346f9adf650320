package transport

import (
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// permits are the places that a call holds in limits of concurrency. They are taken
// one after the other by the goroutine of the call, and given back once, by
// whoever comes first.
type permits struct {
	first [2]*ratelimit.Concurrency
	more  []*ratelimit.Concurrency // few calls have any
	count int32                    // accessed atomically; 0: they are given back
	end   Class                    // how the call ended, as far as limits learn of it
	apt   bool                     // one of the limits learns
	began time.Duration            // when it had all of them
	ended time.Duration            // when it did
}

func (p *permits) hold(l *ratelimit.Concurrency, learns bool) {
	p.apt = p.apt || learns
	n := atomic.LoadInt32(&p.count)
	if int(n) < len(p.first) {
		p.first[n] = l
	} else {
		p.more = append(p.more, l)
	}
	atomic.StoreInt32(&p.count, n+1)
}

func (p *permits) holds() bool { return atomic.LoadInt32(&p.count) > 0 }

// learn says how the call ended, and when, before they are given back: a caller who
// takes his time to read an answer says nothing of the service.
func (p *permits) learn(class Class, now time.Duration) { p.end, p.ended = class, now }

// took is how long the call did.
func (p *permits) took() time.Duration { return p.ended - p.began }

// release gives all of them back. Limits that learn do so from calls that were
// answered, and from those for which the service has too much to do: how long it
// takes to fail says nothing of how long its work does.
func (p *permits) release(of ratelimit.Priority) {
	n := int(atomic.SwapInt32(&p.count, 0))
	if n == 0 {
		return
	}
	for i := range n {
		switch l := p.at(i); {
		case p.end == Success || p.end.refused():
			l.Done(of, p.ended, p.took(), p.end.refused())
		default:
			l.Release(of)
		}
	}
}

func (p *permits) at(i int) *ratelimit.Concurrency {
	if i < len(p.first) {
		return p.first[i]
	}
	return p.more[i-len(p.first)]
}

// refused reports whether the class says that a service has too much to do, or
// might.
func (c Class) refused() bool { return c == Overload || c == Timeout }
