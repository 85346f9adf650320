package balancer

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// PoolConfig configures a [Pool]. The zero value is good.
type PoolConfig struct {
	Policy     Policy          // nil: P2CEWMA{}
	Reach      discovery.Reach // which endpoints this process may use
	Protection Protection      // against lists that shrink by mistake
}

// Pool follows the instances of one service. View may be called by anyone at
// any time; Update and Review take turns.
type Pool struct {
	config PoolConfig
	view   atomic.Pointer[View]

	mu        sync.Mutex // guards the rest
	members   []*Node    // all that are known, sorted by ID; replaced, never written to
	indexes   int32      // numbers given out so far
	free      []int32    // those of forgotten nodes
	protocols protocols
	guard     guard
}

// NewPool returns a pool whose view is empty and cold. The error is a
// [discovery.FieldError].
func NewPool(config PoolConfig) (*Pool, error) {
	config.Policy = policyOr(config.Policy)
	if err := errors.Join(config.Reach.Validate(), config.Protection.Validate(), validate(config.Policy)); err != nil {
		return nil, err
	}
	p := &Pool{config: config, guard: guard{Protection: config.Protection.withDefaults()}}
	p.view.Store(&View{})
	return p, nil
}

// View returns the current view, never nil.
func (p *Pool) View() *View { return p.view.Load() }

// Update makes the view of a snapshot and publishes it. An instance keeps its
// node, and with it all it measured, as long as its ID and its addresses stay;
// instances that left are remembered for five minutes, and some that vanished
// are held in the view, see [Protection]. It costs little beyond what changed:
// an instance whose pointer is that of the last snapshot is not looked into.
func (p *Pool) Update(s discovery.Snapshot, now time.Duration) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guard.hear(p.members, s.State, now)
	c := p.merge(s.Instances, now)
	p.guard.decide(p.members, s.Instances, c, now)
	p.guard.review(p.members, now)
	return p.publish(s, c.announced)
}

// Review lets go of held instances whose time is up or whose calls showed that
// they are gone. It is for the times without a new snapshot, once a second or
// so for as long as the view it returns holds any; it is cheap when there are
// none.
func (p *Pool) Review(now time.Duration) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	view := p.View()
	if view.Held == 0 || !p.guard.review(p.members, now) {
		return view
	}
	return p.publish(view.Snapshot, false)
}

// SetPolicy makes the view choose by another policy from now on; nil is
// P2CEWMA. What the nodes measured stays.
func (p *Pool) SetPolicy(policy Policy) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config.Policy = policyOr(policy)
	return p.publish(p.View().Snapshot, true) // no picker is taken over
}

// Renew publishes the view once more, so that whoever follows it looks again.
func (p *Pool) Renew() *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	view := *p.View()
	view.Announced = false
	view.Renewals++
	p.view.Store(&view)
	return &view
}

// Distrust says that the list at hand is of long ago: whoever is not on the
// next live one has left in the meantime, and none of them vanishes in the
// sense of [Protection].
func (p *Pool) Distrust() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guard.trusted = false
}

func (p *Pool) publish(s discovery.Snapshot, announced bool) *View {
	view := p.newView(s, announced)
	p.view.Store(view)
	return view
}
