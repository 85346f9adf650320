package transport

import (
	"iter"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/balancer"
)

// perNode keeps something of each instance of a service. The zero value is empty.
type perNode[T any] struct {
	// slots is indexed by balancer.Node.Index, whose numbers are used again. Slots
	// are replaced in place, the slice is copied only to grow; both under mu.
	slots atomic.Pointer[[]nodeSlot[T]]
	mu    sync.Mutex
}

// nodeSlot is that of an instance. Whoever replaces it takes the node out first and
// puts it in last, so that who finds the same before and after has what is its.
type nodeSlot[T any] struct {
	node atomic.Pointer[balancer.Node]
	is   atomic.Pointer[T]
}

func (k *nodeSlot[T]) of(n *balancer.Node) *T {
	if k.node.Load() != n {
		return nil
	}
	is := k.is.Load()
	if k.node.Load() != n {
		return nil
	}
	return is
}

func (k *nodeSlot[T]) set(n *balancer.Node, is *T) {
	k.node.Store(nil)
	k.is.Store(is)
	k.node.Store(n)
}

// of returns what is kept of a node, nil if that is nothing.
func (p *perNode[T]) of(n *balancer.Node) *T {
	if all := p.slots.Load(); all != nil && n.Index() < len(*all) {
		return (*all)[n.Index()].of(n)
	}
	return nil
}

// add keeps what is made of a node, unless something is kept already, and returns
// it. What is made may be nil.
func (p *perNode[T]) add(n *balancer.Node, made func() *T) *T {
	p.mu.Lock()
	defer p.mu.Unlock()
	if is := p.of(n); is != nil {
		return is
	}
	var all []nodeSlot[T]
	if known := p.slots.Load(); known != nil {
		all = *known
	}
	if i := n.Index(); i >= len(all) {
		grown := make([]nodeSlot[T], max(2*len(all), i+1, 8))
		for j := range all {
			grown[j].set(all[j].node.Load(), all[j].is.Load())
		}
		all = grown
		p.slots.Store(&grown)
	}
	is := made()
	all[n.Index()].set(n, is)
	return is
}

// all yields what is kept, without that of instances which have left.
func (p *perNode[T]) all(view *balancer.View) iter.Seq2[*balancer.Node, *T] {
	return func(yield func(*balancer.Node, *T) bool) {
		known := p.slots.Load()
		if known == nil {
			return
		}
		for i := range *known {
			n := (*known)[i].node.Load()
			if n == nil || nodeOf(view.Nodes, n.ID()) != n {
				continue
			}
			if is := (*known)[i].of(n); is != nil && !yield(n, is) {
				return
			}
		}
	}
}

// settle waits for who is making something: what was made by what held before is
// among all from then on.
func (p *perNode[T]) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
}
