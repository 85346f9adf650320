package fairhttp

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// service holds the leaves of one service's instances.
type service struct {
	name      string
	transport *Transport

	// leaves is indexed by balancer.Node.Index. Its slots are replaced in
	// place, it is copied only to grow; both by the holder of mu.
	leaves atomic.Pointer[[]atomic.Pointer[leaf]]

	mu       sync.Mutex       // guards what follows
	nodes    []*balancer.Node // of the last view
	here     []*balancer.Node // the same by their Index
	draining []draining
	ended    bool // nobody tends it any more
}

// draining is a retired generation whose calls or connections may not have
// ended.
type draining struct {
	*generation
	swept bool // once since its last call ended
}

// openService begins to follow a service; the caller holds t.mu. Its two
// goroutines belong to the transport and end with it or with the mesh.
func openService(t *Transport, name string) (*service, error) {
	s := &service{name: name, transport: t}
	s.leaves.Store(new([]atomic.Pointer[leaf]))
	if t.shared != nil {
		return s, discovery.ValidateService(name)
	}
	ctx, cancel := context.WithCancel(t.ctx)
	views, err := t.mesh.Views(ctx, name)
	if err != nil {
		cancel()
		return nil, err
	}
	t.loops.Go(func() {
		defer cancel()
		s.follow(ctx, views)
	})
	t.loops.Go(func() { s.tend(ctx) })
	return s, nil
}

// leaf returns the leaf of an instance that was picked.
func (s *service) leaf(n *balancer.Node) *leaf {
	if s.transport.shared != nil {
		return s.transport.shared
	}
	leaves := *s.leaves.Load()
	if i := n.Index(); i < len(leaves) {
		if l := leaves[i].Load(); l != nil && l.node == n {
			return l
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leafLocked(n)
}

func (s *service) leafLocked(n *balancer.Node) *leaf {
	leaves := *s.leaves.Load()
	i := n.Index()
	if i >= len(leaves) {
		grown := make([]atomic.Pointer[leaf], max(2*len(leaves), i+1, 8))
		for j := range leaves {
			grown[j].Store(leaves[j].Load())
		}
		s.leaves.Store(&grown)
		leaves = grown
	}
	l := leaves[i].Load()
	if l != nil && l.node == n {
		return l
	}
	if l != nil { // the number's last owner
		s.dropLocked(l)
	}
	l = s.grow(n, false)
	l.current.Load().retired.Store(s.ended) // then it closes what it opens
	leaves[i].Store(l)
	return l
}

// each calls f for every leaf.
func (s *service) each(f func(*leaf)) {
	leaves := *s.leaves.Load()
	for i := range leaves {
		if l := leaves[i].Load(); l != nil {
			f(l)
			if a := l.apart.Load(); a != nil {
				f(a)
			}
		}
	}
}

// follow keeps the leaves with the view.
func (s *service) follow(ctx context.Context, views iter.Seq[*balancer.View]) {
	for view := range views {
		s.mu.Lock()
		for _, n := range s.turnLocked(view.Nodes) {
			if s.transport.config.Prewarm > 0 && isCalled(view, n) {
				l := s.leafLocked(n)
				s.transport.loops.Go(func() { l.spares.fill(ctx, s.transport.config.Prewarm) })
			}
		}
		s.mu.Unlock()
	}
}

// turnLocked takes over the nodes of a view, drops the leaves of those that
// left, and returns those that came.
func (s *service) turnLocked(nodes []*balancer.Node) (came []*balancer.Node) {
	left, came := balancer.Diff(s.nodes, nodes)
	s.nodes = nodes
	for _, n := range left { // first: their numbers may be used again
		s.here[n.Index()] = nil
		s.clearLocked(n.Index())
	}
	for _, n := range came {
		if most := n.Index(); most >= len(s.here) {
			s.here = append(s.here, make([]*balancer.Node, most+1-len(s.here))...)
		}
		s.here[n.Index()] = n
	}
	return came
}

// isCalled reports whether calls may go to a node where no rule says so.
func isCalled(view *balancer.View, n *balancer.Node) bool {
	choice := view.Choice(discovery.HTTP)
	if choice == nil {
		return false
	}
	_, is := slices.BinarySearchFunc(choice.Called(), n, func(a, b *balancer.Node) int { return strings.Compare(a.ID(), b.ID()) })
	return is
}

// tend does once a second what time demands, and ends by closing what it can.
func (s *service) tend(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.mu.Lock()
			s.clearAllLocked() // a call that was late may have made a leaf again
			s.each(func(l *leaf) {
				if g := l.current.Load(); now.After(g.expires) {
					s.renewLocked(l, g)
				}
			})
			s.sweepLocked()
			s.mu.Unlock()
		case <-ctx.Done():
			s.mu.Lock()
			s.nodes, s.here, s.ended = nil, nil, true
			s.clearAllLocked()
			s.mu.Unlock()
			return
		}
	}
}

// clearAllLocked drops the leaves of instances that are gone. The leaf of one
// that is too new to be here comes back with its next call.
func (s *service) clearAllLocked() {
	for i := range *s.leaves.Load() {
		s.clearLocked(i)
	}
}

// clearLocked drops the leaf of one number if its instance is gone.
func (s *service) clearLocked(i int) {
	leaves := *s.leaves.Load()
	if i >= len(leaves) {
		return
	}
	if l := leaves[i].Load(); l != nil && (i >= len(s.here) || s.here[i] != l.node) {
		leaves[i].Store(nil)
		s.dropLocked(l)
	}
}

func (s *service) dropLocked(l *leaf) {
	s.transport.totals.attempts.Add(l.attempts.Load())
	l.spares.close()
	s.retireLocked(l.current.Load())
	if a := l.apart.Load(); a != nil {
		s.dropLocked(a)
	}
}

// renew gives a leaf a new generation in g's place, if g is still current.
func (s *service) renew(l *leaf, g *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewLocked(l, g)
}

func (s *service) renewLocked(l *leaf, g *generation) {
	if l.current.CompareAndSwap(g, s.generation(l)) {
		s.transport.totals.renewals.Add(1)
		s.retireLocked(g)
	}
}

func (s *service) retireLocked(g *generation) {
	g.retire()
	s.draining = append(s.draining, draining{generation: g})
}

// sweepLocked closes what became idle in retired generations. HTTP/2 is a
// moment late to see that a connection is idle, so that the end of the last
// call is not enough.
func (s *service) sweepLocked() {
	s.draining = slices.DeleteFunc(s.draining, func(d draining) bool {
		d.closeIdle()
		return d.users.Load() == 0 && d.swept
	})
	for i := range s.draining {
		s.draining[i].swept = s.draining[i].users.Load() == 0
	}
}
