package balancer

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// PoolConfig configures a [Pool]. The zero value is good.
type PoolConfig struct {
	Policy Policy          // nil: P2CEWMA
	Reach  discovery.Reach // which endpoints this process may use
}

// Pool follows the instances of one service. View may be called by anyone at
// any time; Update is for one owner at a time.
type Pool struct {
	config PoolConfig
	view   atomic.Pointer[View]

	mu        sync.Mutex // guards the rest, held by Update only
	members   []*Node    // all that are known, sorted by ID; replaced, never written to
	indexes   int32      // numbers given out so far
	free      []int32    // those of forgotten nodes
	protocols protocols
}

// NewPool returns a pool whose view is empty and cold. The error is a
// [discovery.FieldError].
func NewPool(config PoolConfig) (*Pool, error) {
	if err := config.Reach.Validate(); err != nil {
		return nil, err
	}
	if config.Policy == nil {
		config.Policy = P2CEWMA
	}
	p := &Pool{config: config}
	p.view.Store(&View{})
	return p, nil
}

// View returns the current view, never nil.
func (p *Pool) View() *View { return p.view.Load() }

// Update makes the view of a snapshot and publishes it. An instance keeps its
// node, and with it all it measured, as long as its ID and its addresses stay;
// instances that left are remembered for five minutes. It costs little beyond
// what changed: an instance whose pointer is that of the last snapshot is not
// looked into.
func (p *Pool) Update(s discovery.Snapshot, now time.Duration) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.merge(s.Instances, now)
	view := p.newView(s, changed)
	p.view.Store(view)
	return view
}
