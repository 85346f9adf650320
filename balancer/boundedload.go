package balancer

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// bound is how many calls nodes may have outstanding before a key goes on to
// another one: a node of weight w at most
//
//	⌈factor × (calls of all + 1) × w ÷ weight of all⌉
//
// (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads",
// 2016). A node without a call is always below that, and then the calls of all
// are not asked for.
//
// They are not counted by calls, who would all have to write to one place. They
// are the sum of what blocks of 64 nodes had when last looked at, and a pick
// that finds the last look older than recountAfter looks at one more. Under load
// the sum is therefore that of the last recountAfter × blocks at most; of what
// calls began and ended since then, it knows a part. A pick that meets nobody
// below the bound, and once a second somebody else, looks at all of them.
type bound struct {
	factor  float64
	nodes   []*Node   // by place; nil: passed over
	weights []float64 // by place
	all     float64   // the weights of those that may be chosen

	_      [64]byte // what follows is written, though rarely
	looked atomic.Int64
	next   atomic.Uint32
	calls  atomic.Int64 // the sum of blocks
	blocks []atomic.Int64
	_      [64]byte
}

const (
	blockSize    = 64
	recountAfter = 50 * time.Microsecond
)

func newBound(factor float64, nodes []*Node, of []*discovery.Instance) *bound {
	b := &bound{factor: factor, nodes: nodes, weights: make([]float64, len(of)), blocks: make([]atomic.Int64, (len(of)+blockSize-1)/blockSize)}
	for place, i := range of {
		b.weights[place] = float64(keyWeight(i))
		if nodes[place] != nil {
			b.all += b.weights[place]
		}
	}
	b.recount()
	return b
}

// full reports whether the node at a place has as many calls as it may have.
func (b *bound) full(place int, now time.Duration) bool {
	calls := b.nodes[place].outstanding.Load() >> 32
	return calls > 0 && float64(calls)*b.all >= b.factor*(float64(b.sum(now)+1)*b.weights[place])
}

// sum returns how many calls all nodes have.
func (b *bound) sum(now time.Duration) int64 {
	// Callers have read their clocks before they look here, some a moment
	// earlier than others; a clock that is a second behind was set back.
	last := b.looked.Load()
	age := now - time.Duration(last)
	if (age >= recountAfter || age < -time.Second) && b.looked.CompareAndSwap(last, int64(now)) {
		b.count(int(b.next.Add(1) % uint32(len(b.blocks))))
	}
	return b.calls.Load()
}

// count looks at the nodes of a block. Several that do so at once leave the sum
// that of the blocks.
func (b *bound) count(block int) {
	sum := int64(0)
	for _, n := range b.nodes[block*blockSize : min((block+1)*blockSize, len(b.nodes))] {
		if n != nil {
			sum += int64(n.outstanding.Load() >> 32)
		}
	}
	b.calls.Add(sum - b.blocks[block].Swap(sum))
}

func (b *bound) recount() {
	for block := range b.blocks {
		b.count(block)
	}
}

func validateBalanceFactor(field string, f float64) error {
	if f == 0 || f >= 1 && f <= math.MaxFloat64 {
		return nil
	}
	return &discovery.FieldError{Field: field, Value: f, Allowed: "0 (meaning off), or 1 or more"}
}
