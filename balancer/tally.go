package balancer

import (
	"sync/atomic"
	"time"
)

// tally counts how the calls of one node ended within an interval, where
// somebody looks at rates or compares places. It fills a cache line of its own.
type tally struct {
	calls, failed, slow atomic.Uint32
	slowFrom            float32 // nanoseconds; fixed
	toll                toll
	_                   [32]byte
}

// newTally returns the tally that takes the place of another, nil if there is
// none.
func newTally(slowFrom time.Duration, before *tally) *tally {
	t := &tally{slowFrom: float32(slowFrom)}
	if before != nil {
		t.toll.went.Store(before.toll.went.Load())
		t.toll.failed.Store(before.toll.failed.Load())
	}
	return t
}

func (t *tally) count(c completion) {
	t.calls.Add(1)
	if c.result >= Failure {
		t.failed.Add(1)
	}
	if t.slowFrom > 0 && c.elapsed >= t.slowFrom {
		t.slow.Add(1)
	}
	t.toll.pay(c.elapsed, c.result >= Failure)
}

// volume is what a tally counted.
type volume struct{ calls, failed, slow int }

// take returns what was counted since the last time. A call that ends meanwhile
// may be counted with one half before and the other after.
func (t *tally) take() volume {
	v := volume{failed: int(t.failed.Swap(0)), slow: int(t.slow.Swap(0))}
	v.calls = max(int(t.calls.Swap(0)), v.failed, v.slow)
	return v
}
