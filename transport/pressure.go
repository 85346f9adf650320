package transport

import (
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// Pressure says how near calls are to their limits, so that an application can do
// less by itself: skip what is optional, answer with less, put off what can wait.
type Pressure struct {
	// Level is how full the fullest limit of calls in flight is, from 0 to 1. It is 1
	// where a call was refused within the last second, by whatever limit.
	Level float64 `json:"level"`
	// RefusedPerSecond is how many calls limits refused within the last second.
	RefusedPerSecond float64 `json:"refusedPerSecond"`
}

// Pressure returns that of the calls of this process to a service; the zero value
// where nothing bounds them. It costs as much as there are methods and instances that
// have a limit of their own; calls do not notice who asks.
func (m *Mesh) Pressure(service string) Pressure {
	s := (*m.services.Load())[service]
	if s == nil {
		return Pressure{}
	}
	l := s.course.Load().plans.of(nil).limits
	level := l.level()
	if l != nil && l.instances != nil {
		level = max(level, l.instances.level(s.pool.View()))
	}
	return s.pressed.read(balancer.Now(), level)
}

// Pressure returns that of the server; the zero value where rules switched it off.
func (a *Admission) Pressure() Pressure {
	l := a.limits.Load()
	if l == nil {
		return Pressure{}
	}
	return a.pressed.read(balancer.Now(), l.level())
}

// pressed counts the calls that were refused in this second and in the last. The zero
// value has counted none.
type pressed struct {
	seconds [2]atomic.Uint64 // by the last bit of a second: that in the upper half, the calls in the lower
}

// refused counts one.
func (p *pressed) refused(now time.Duration) {
	second, _ := secondOf(now)
	for slot := &p.seconds[second&1]; ; {
		was := slot.Load()
		is := second<<32 | 1
		if was>>32 == second {
			is = was + 1
		}
		if slot.CompareAndSwap(was, is) {
			return
		}
	}
}

// lately is how many were refused within the last second: those of this one, and as
// many of those before as there is of the last second left in it.
func (p *pressed) lately(now time.Duration) float64 {
	second, passed := secondOf(now)
	in := func(second uint64) float64 {
		if was := p.seconds[second&1].Load(); was>>32 == second {
			return float64(uint32(was))
		}
		return 0
	}
	return in(second) + in(second-1)*(1-passed.Seconds())
}

// secondOf numbers the seconds, from far before the process began on, and says how
// much of one has passed.
func secondOf(now time.Duration) (number uint64, passed time.Duration) {
	const before = 1 << 31 * time.Second
	now += before
	return uint64(now / time.Second), now % time.Second
}

func (p *pressed) read(now time.Duration, level float64) Pressure {
	refused := p.lately(now)
	if refused > 0 {
		level = 1
	}
	return Pressure{Level: min(level, 1), RefusedPerSecond: refused}
}

// level is how full the fullest limit of calls in flight is. It may be asked of nil.
func (l *limits) level() (fullest float64) {
	if l == nil {
		return 0
	}
	for _, c := range l.concurrency {
		for one := range c.all() {
			fullest = max(fullest, float64(one.InFlight())/float64(one.Limit()))
		}
	}
	return fullest
}

// level is how full the instances are, all together.
func (l *instanceLimits) level(view *balancer.View) float64 {
	calls, most := 0, 0
	for _, n := range view.Nodes {
		calls += n.Outstanding()
		most += l.limit(n)
	}
	if most == 0 {
		return 0
	}
	return float64(calls) / float64(most)
}
