package balancer

import (
	"sync"
	"sync/atomic"
)

// inbox is where calls tell their pool of nodes that it should look at. It is
// used only where something is wrong, or is mended.
type inbox struct {
	wake chan struct{} // holds a token while there is something to do

	enough atomic.Uint32 // failures in a row that a node tells of

	mu    sync.Mutex
	nodes []*Node // whose signals are not zero
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// Signals that a node has for its pool.
const (
	streaked   uint32 = 1 << iota // many calls failed in a row
	refused                       // no connection came about
	mistrusted                    // it could not prove who it is
	proved                        // a probe succeeded
	disproved                     // a probe failed
)

// tell leaves a signal for the pool, if the node has one.
func (n *Node) tell(signal uint32) {
	if n.inbox == nil || n.signals.Or(signal) != 0 {
		return
	}
	n.inbox.mu.Lock()
	n.inbox.nodes = append(n.inbox.nodes, n)
	n.inbox.mu.Unlock()
	n.inbox.rouse()
}

// rouse wakes whoever looks after the pool.
func (b *inbox) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the inbox.
func (b *inbox) take() []*Node {
	b.mu.Lock()
	defer b.mu.Unlock()
	nodes := b.nodes
	b.nodes = nil
	return nodes
}
