package transport

import (
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// permits are the places that a call holds in limits of concurrency. They are taken
// one after the other by the goroutine of the call, and given back once, by
// whoever comes first.
type permits struct {
	first [2]*ratelimit.Concurrency
	more  []*ratelimit.Concurrency // few calls have any
	count int32                    // accessed atomically; 0: they are given back
	began time.Duration
	end   Class // how the call ended, as far as limits learn of it
}

func (p *permits) hold(l *ratelimit.Concurrency) {
	n := atomic.LoadInt32(&p.count)
	if int(n) < len(p.first) {
		p.first[n] = l
	} else {
		p.more = append(p.more, l)
	}
	atomic.StoreInt32(&p.count, n+1)
}

// release gives all of them back. How long the call took teaches limits that learn,
// unless it says nothing of the service.
func (p *permits) release(of ratelimit.Priority) {
	n := int(atomic.SwapInt32(&p.count, 0))
	if n == 0 {
		return
	}
	now := balancer.Now()
	for i := range n {
		l := p.at(i)
		if p.end == Neutral {
			l.Release(of)
		} else {
			l.Done(of, now, now-p.began, p.end.refused())
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
