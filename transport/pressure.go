package transport

import (
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// Pressure says how near calls are to their limits, so that an application can do
// less by itself: skip what is optional, answer with less, put off what can wait.
type Pressure struct {
	// Level is how full the fullest limit of calls in flight is, from 0 to 1. It is 1
	// while calls are refused.
	Level float64 `json:"level"`
	// RefusedPerSecond is how many calls limits refused, over the last second or
	// more.
	RefusedPerSecond float64 `json:"refusedPerSecond"`
}

// Pressure returns that of the calls of this process to a service; the zero value
// where nothing bounds them.
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
	return s.pressed.read(level, l.refusedSoFar())
}

// Pressure returns that of the server.
func (a *Admission) Pressure() Pressure {
	l := a.limits.Load()
	return a.pressed.read(l.level(), l.refusedSoFar()+a.hopeless.sum())
}

// pressed makes a rate of a count, for whoever reads it: calls pay nothing.
type pressed struct {
	mu    sync.Mutex
	since time.Duration // 0: never read
	then  int64
	rate  float64
}

// pressedFor is the time over which refusals are counted, at least.
const pressedFor = time.Second

func (p *pressed) read(level float64, refused int64) Pressure {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := balancer.Now()
	if p.since == 0 {
		p.since, p.then = now, refused
	}
	if elapsed := now - p.since; elapsed >= pressedFor || refused < p.then { // fewer: limits were taken away
		p.rate = 0
		if refused > p.then {
			p.rate = float64(refused-p.then) / elapsed.Seconds()
		}
		p.since, p.then = now, refused
	}
	if p.rate > 0 {
		level = 1
	}
	return Pressure{Level: min(level, 1), RefusedPerSecond: p.rate}
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

// refusedSoFar counts the calls that all limits refused. It may be asked of nil.
func (l *limits) refusedSoFar() (n int64) {
	if l == nil {
		return 0
	}
	for _, r := range l.rates {
		n += r.refused.sum()
	}
	for _, c := range l.concurrency {
		n += c.refused.sum()
	}
	if l.instances != nil {
		n += l.instances.refused.sum()
	}
	if l.throttle != nil {
		n += l.throttle.refused.sum()
	}
	return n
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
