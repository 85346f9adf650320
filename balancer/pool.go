package balancer

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/discovery"
)

// PoolConfig configures a [Pool]. The zero value is good.
type PoolConfig struct {
	Reach      discovery.Reach // which endpoints this process may use
	Protection Protection      // against lists that shrink by mistake
	Balancing
}

// Balancing is how an instance is chosen, which may change while calls go on.
// The zero value is good.
type Balancing struct {
	Policy           Policy // nil: P2CEWMA{}
	OutlierDetection OutlierDetection
	SlowStart        SlowStart
	// PanicThreshold is the share of instances that must be well; where fewer
	// are, their health is ignored, since the others cannot carry the load. 0
	// means 0.5, as in Envoy; less than 0: it is never ignored while anybody is
	// well.
	PanicThreshold float64
	// Tiers, Locality and Subset say where calls go, in this order: they divide
	// the instances into tiers, each tier into those at the same place and
	// others, and leave some of each to be called.
	Tiers    []Tier
	Locality Locality
	Subset   Subset
}

// Validate reports a bad field as a [*discovery.FieldError].
func (b Balancing) Validate() error {
	if !(b.PanicThreshold <= 1) {
		return &discovery.FieldError{Field: "PanicThreshold", Value: b.PanicThreshold, Allowed: "0 (meaning 0.5) to 1, or less than 0 for never"}
	}
	return errors.Join(validate(policyOr(b.Policy)), b.OutlierDetection.Validate(), b.SlowStart.Validate(),
		validateTiers(b.Tiers), b.Locality.Validate(), b.Subset.Validate())
}

func (b Balancing) withDefaults() Balancing {
	b.Policy = policyOr(b.Policy)
	b.OutlierDetection = b.OutlierDetection.withDefaults()
	b.SlowStart = b.SlowStart.withDefaults()
	b.PanicThreshold = cmp.Or(b.PanicThreshold, 0.5)
	b.Subset = b.Subset.withDefaults()
	return b
}

// Pool follows the instances of one service. View may be called by anyone at
// any time; Update and Review take turns.
type Pool struct {
	config PoolConfig
	name   string // as which it draws subsets, where none is given
	view   atomic.Pointer[View]

	mu        sync.Mutex // guards the rest
	members   []*Node    // all that are known, sorted by ID; replaced, never written to
	indexes   int32      // numbers given out so far
	free      []int32    // those of forgotten nodes
	protocols protocols
	guard     guard
	judge     judge
	nursery   nursery
	placement *placement // of the configuration
	seed      uint64     // of all that is drawn
	views     uint64     // made so far
	listed    bool       // there was a list before
}

// NewPool returns a pool whose view is empty and cold. The error is a
// [discovery.FieldError].
func NewPool(config PoolConfig) (*Pool, error) {
	if err := errors.Join(config.Reach.Validate(), config.Protection.Validate(), config.Balancing.Validate()); err != nil {
		return nil, err
	}
	p := &Pool{config: config, name: discovery.NewID(), guard: guard{Protection: config.Protection.withDefaults()}, judge: judge{inbox: newInbox()}}
	p.view.Store(&View{})
	p.balance(config.Balancing, 0)
	p.view.Store(&View{policy: p.config.Policy, placement: p.placement, inbox: p.judge.inbox})
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
	p.listed = true
	p.look(now)
	return p.publish(s, c.announced)
}

// Review does what time demands, and what calls showed: it passes over those
// who fail and takes them back, lets go of held instances, and lets weights
// grow. [Pool.Run] calls it when it is due; it is cheap when nothing is.
func (p *Pool) Review(now time.Duration) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	view := p.View()
	released := view.Held > 0 && p.guard.review(p.members, now)
	judged := p.look(now)
	view.refresh(now)
	if !released && !judged {
		return view
	}
	return p.publish(view.Snapshot, false)
}

// look judges the nodes that can be called, and lets the young grow.
func (p *Pool) look(now time.Duration) (changed bool) {
	changed, back := p.judge.review(p.View().Nodes, p.View().called, now)
	for _, n := range back {
		p.nursery.admit(n, 0, now)
	}
	p.nursery.review(now)
	return changed
}

// Run calls review, which is to call Review, whenever that is due: as soon as
// calls show something, and every second while anything depends on time; it
// looks whether this process is short of CPU, and if so does not believe the rates
// of an interval. It also makes the tables of policies that hash, where they are dear, while calls
// go by the ones before. It ends with ctx. nil calls Review itself.
func (p *Pool) Run(ctx context.Context, review func()) {
	p.judge.inbox.attended.Store(true)
	defer p.judge.inbox.attended.Store(false)
	if review == nil {
		review = func() { p.Review(Now()) }
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		pause := p.pause()
		due := Now() + pause
		timer.Reset(pause)
		select {
		case <-p.judge.inbox.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if Now()-due > lateness {
			p.starved()
		}
		review()
		p.judge.inbox.work()
		// However often calls show something: a view of thousands costs a
		// millisecond.
		timer.Reset(reviewPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// reviewPause is the least time between two reviews.
const reviewPause = 10 * time.Millisecond

// lateness is how late a process has to notice that a time is up to be short of
// CPU, or to have been stopped (the idea is that of HashiCorp's Lifeguard, 2017).
const lateness = 100 * time.Millisecond

// starved takes note that this process was. How long calls took says nothing of
// the instances then.
func (p *Pool) starved() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge.starved = true
}

// pause returns for how long nothing changes by time alone.
func (p *Pool) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.judge.OutlierDetection.counts():
		return time.Second / 4 // a shorter standstill is not noticed
	case p.guard.holding() || p.judge.busy() || len(p.nursery.young) > 0 || p.View().ages():
		return time.Second
	default:
		return 24 * time.Hour
	}
}

// Balance makes calls be balanced in another way from now on. What the nodes
// measured stays, and who is passed over stays so unless that is turned off.
// The error is a [discovery.FieldError]; then nothing has changed.
func (p *Pool) Balance(b Balancing, now time.Duration) (*View, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.balance(b, now)
	return p.publish(p.View().Snapshot, true), nil // no picker is taken over as it is
}

func (p *Pool) balance(b Balancing, now time.Duration) {
	b = b.withDefaults()
	p.config.Balancing, p.placement = b, b.placement()
	p.seed = xxhash.Sum64String(cmp.Or(b.Subset.Seed, p.name))
	p.judge.seed = p.seed
	p.judge.configure(b.OutlierDetection, p.placement.compares(), p.members, now)
	p.nursery.SlowStart = p.config.SlowStart
	for _, n := range p.members {
		p.nursery.admit(n, now-n.born, now)
		n.rate(p.seed)
	}
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
	p.judge.inbox.rouse()
	return view
}
