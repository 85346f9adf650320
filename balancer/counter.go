package balancer

import (
	"math/rand/v2"
	"sync/atomic"
)

// counter counts turns for all callers of the process. It is the one thing that
// they all write, so its cache line holds nothing else. After 2³² turns it
// begins again, which makes one turn come too early or too late.
type counter struct {
	_    [64]byte
	last atomic.Uint32
	_    [60]byte
}

func (c *counter) next() uint32 { return c.last.Add(1) }

// begin lets it begin where another stands. With none, which is nil, it begins
// anywhere: processes that start together are not to march in step, and if it
// were always the same place, only the first nodes would have turns whenever
// lists change faster than calls come. Bits say where that is; 0 is by chance.
func (c *counter) begin(before *counter, bits uint64) {
	switch {
	case before != nil:
		c.last.Store(before.last.Load())
	case bits != 0:
		c.last.Store(uint32(bits))
	default:
		c.last.Store(rand.Uint32())
	}
}
