package balancer

import (
	"sync"
	"sync/atomic"
)

// inbox is where calls tell their pool of nodes that it should look at, which
// they do only where something is wrong, or is mended; and where policies leave
// what is too dear to be waited for.
type inbox struct {
	wake chan struct{} // holds a token while there is something to do

	enough atomic.Uint32 // failures in a row that a node tells of

	// attended says that somebody runs the pool, see [Pool.Run].
	attended atomic.Bool
	// ahead says that there were as many probes as there may be, see probing.
	ahead atomic.Bool

	mu    sync.Mutex
	nodes []*Node  // whose signals are not zero
	tasks []func() // that nobody waits for
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

// later has a task done by whoever runs the pool.
func (b *inbox) later(task func()) {
	b.mu.Lock()
	b.tasks = append(b.tasks, task)
	b.mu.Unlock()
	b.rouse()
}

// work does the tasks, without a lock.
func (b *inbox) work() {
	b.mu.Lock()
	tasks := b.tasks
	b.tasks = nil
	b.mu.Unlock()
	for _, task := range tasks {
		task()
	}
}
