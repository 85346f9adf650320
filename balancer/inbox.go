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

	off    atomic.Bool   // outlier detection is
	enough atomic.Uint32 // of so many failures in a row a node tells, and of twice as many, and so on

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

// tell leaves a signal for the pool, if the node has one. Where outlier detection
// is off only suspects are of interest.
func (n *Node) tell(signal uint32) {
	if n.inbox == nil || n.inbox.off.Load() && n.failing.Load()&suspected == 0 || n.signals.Or(signal) != 0 {
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
