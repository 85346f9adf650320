package transport

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// beatEvery is how often a pulse beats.
const beatEvery = 5 * time.Second

// frozenAfter is how old the last beat of a process that was frozen is. A
// shorter standstill does no harm that is not there without one: an instance
// that died stays listed for as long as its lease, 15 s by default and up to
// twice that when etcd changes its leader, and retries are there for it. On the
// other side, a process that is short of CPU is late by seconds, not by 25.
const frozenAfter = 30 * time.Second

// pulse tells whether the process stood still: stopped by a signal, frozen by
// its cgroup, as functions are between two requests, or suspended with its
// machine. Such a process goes on as if nothing had been, and its calls may do
// so before the goroutines that would hear of it. So both look how long ago the
// pulse has beaten.
type pulse struct {
	logger *slog.Logger
	last   atomic.Pointer[beat] // nil: it does not run yet
}

// beat is immutable.
type beat struct {
	at    moment
	thaws uint64 // how often the process was found to have been frozen
}

// moment is a reading of both clocks.
type moment struct{ mono, wall time.Duration }

func momentOf(t time.Time) moment { return moment{balancer.At(t), time.Duration(t.UnixNano())} }

// since is the longer of what both clocks say: the monotonic one stands still
// while the machine is suspended, the other may have been set back. If it was
// set forward, that is taken for a freeze, once.
func (m moment) since(earlier moment) time.Duration {
	return max(m.mono-earlier.mono, m.wall-earlier.wall)
}

// run beats until ctx ends.
func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.beat(momentOf(time.Now()))
		case <-ctx.Done():
			return
		}
	}
}

// beat may be the first to run after a freeze, as any call may.
func (p *pulse) beat(now moment) {
	p.thaws(now)
	last := p.last.Load()
	p.last.CompareAndSwap(last, &beat{now, last.thaws}) // fails if a call has just found a freeze, and that was a beat
}

// thaws returns how often the process was frozen until now.
func (p *pulse) thaws(now moment) uint64 {
	last := p.last.Load()
	if now.since(last.at) < frozenAfter {
		return last.thaws
	}
	return p.thaw(now)
}

// found returns how many freezes were noticed so far.
func (p *pulse) found() uint64 {
	if last := p.last.Load(); last != nil {
		return last.thaws
	}
	return 0
}

// thaw counts a freeze, once however many come here from it.
func (p *pulse) thaw(now moment) uint64 {
	for {
		last := p.last.Load()
		stood := now.since(last.at)
		if stood < frozenAfter {
			return last.thaws
		}
		if p.last.CompareAndSwap(last, &beat{now, last.thaws + 1}) {
			p.logger.Info("fairlead: the process was frozen or its clock set, lists are refreshed before their next use", "for", stood)
			return last.thaws + 1
		}
	}
}

// beatLocked returns how often the process was frozen until now. The first
// service of the mesh starts the pulse, whose goroutine is the mesh's.
func (m *Mesh) beatLocked() uint64 {
	now := momentOf(time.Now())
	if m.pulse.last.Load() == nil {
		m.pulse.last.Store(&beat{at: now})
		m.loops.Go(func() { m.pulse.run(m.ctx) })
	}
	return m.pulse.thaws(now)
}
