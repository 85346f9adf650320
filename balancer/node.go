package balancer

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Node is one instance as this process knows it: what it is, and what its
// calls showed. Its state belongs to the instance, not to a snapshot or a
// policy, and is shared by all that call it. Methods are safe for concurrent
// use.
//
// The fields written by every call fill the first cache line of the struct,
// those that calls only read are on the second, and those that are written
// where there is trouble on the third. The allocator aligns a struct of 192
// bytes to 64, so that no two nodes share a line.
type Node struct {
	// outstanding holds the number of outstanding calls in its upper half and,
	// in its lower half, the start of one of them (or 0): a lone call, the
	// common case, is counted and timed in one atomic operation.
	outstanding atomic.Uint64
	// latency holds a float32 of nanoseconds in its upper half (0: none known)
	// and the tick of the last sample in its lower half (0: no history).
	latency atomic.Uint64
	// failing is the float32 share of failures among recent calls. Its two
	// highest bits, which no share has, are flags: suspected, watched.
	failing atomic.Uint32
	// perWeight is the float32 DefaultWeight ÷ weight.
	perWeight atomic.Uint32
	// starts are the starts of further outstanding calls, 0 where free.
	starts [tracked - 1]atomic.Uint32

	instance  atomic.Pointer[discovery.Instance]
	endpoints []discovery.Endpoint // at most one per protocol; never change
	inbox     *inbox               // of its pool; nil: nobody listens
	index     int32
	// What follows on this line is guarded by the pool's lock.
	young  bool          // its weight grows, see nursery
	born   time.Duration // since when it has
	outage *outage       // nil: nothing is held against it

	testimony
	since    atomic.Int64  // when it became a suspect
	evidence atomic.Uint32 // about it
	score    atomic.Uint32 // float32, see Subset
	membership
	reports atomic.Pointer[reports] // nil: nobody asks for any
}

// tracked is how many outstanding calls of one node are timed at once; more
// are only counted. It fills the cache line.
const tracked = 11

// NewNode returns a node without history for an instance. A [Pool] makes its
// own; others need it for benchmarks and simulations.
func NewNode(instance discovery.Instance, index int) *Node {
	n := &Node{endpoints: instance.Endpoints, index: int32(index)}
	if len(n.endpoints) == 0 {
		n.endpoints = []discovery.Endpoint{{Protocol: whatever, Addr: instance.Addr}}
	}
	n.update(&instance)
	return n
}

func (n *Node) update(i *discovery.Instance) {
	n.instance.Store(i)
	n.weigh(1)
}

// weigh gives the node a share, at most 1, of its weight.
func (n *Node) weigh(share float32) {
	weight := n.Instance().Weight
	if weight <= 0 {
		weight = discovery.DefaultWeight
	}
	n.perWeight.Store(math.Float32bits(discovery.DefaultWeight / (float32(weight) * share)))
}

// ID returns the instance's ID.
func (n *Node) ID() string { return n.Instance().ID }

// Index is the node's number in its pool, the same for the node's whole life.
// Numbers are small and dense, and are used again for later nodes.
func (n *Node) Index() int { return int(n.index) }

// Instance returns the instance as last announced. It must not be written to.
func (n *Node) Instance() *discovery.Instance { return n.instance.Load() }

// Endpoint returns the address at which this process reaches the instance for
// protocol p, in the form of [discovery.Endpoint].Addr, or "".
func (n *Node) Endpoint(p discovery.Protocol) string {
	for _, e := range n.endpoints {
		if e.Protocol == p || e.Protocol == whatever {
			return e.Addr
		}
	}
	return ""
}

// Outstanding returns how many calls were started and are not done.
func (n *Node) Outstanding() int { return int(n.outstanding.Load() >> 32) }

// Failing reports whether most of the node's recent calls failed. It fades: a
// node that gets no calls is tried again seconds later.
func (n *Node) Failing(now time.Duration) bool {
	return n.failing.Load() != 0 && n.failsMostly(now)
}

func (n *Node) failsMostly(now time.Duration) bool {
	share := shareOf(n.failing.Load())
	return share > 0.5 && share > 0.5*aged(tickOf(now).since(tick(n.latency.Load())))
}

// Stats is what a node measured.
type Stats struct {
	Outstanding int           `json:"outstanding"`
	Oldest      time.Duration `json:"oldestNs"`  // age of the oldest outstanding call that is timed
	Latency     time.Duration `json:"latencyNs"` // peak EWMA; 0: none known
	Failing     float64       `json:"failing"`   // recent share of failures, 0 to 1
	Idle        time.Duration `json:"idleNs"`    // since the last sample; 0 without history
	// Reported is what the server said of its own load, nil if that is nothing.
	Reported *Reported `json:"reported,omitempty"`
}

// Stats reads the node's measurements for display.
func (n *Node) Stats(now time.Duration) Stats {
	load, word, at := n.outstanding.Load(), n.latency.Load(), tickOf(now)
	s := Stats{
		Outstanding: int(load >> 32),
		Oldest:      time.Duration(n.oldest(load, at)),
		Latency:     time.Duration(min(latencyOf(word), 1<<62)), // what a float32 rounds up must fit
		Failing:     float64(shareOf(n.failing.Load())),
		Reported:    n.reports.Load().last(now),
	}
	if last := tick(word); last != 0 {
		s.Idle = time.Duration(at.since(last)) * nsPerTick
	}
	return s
}
