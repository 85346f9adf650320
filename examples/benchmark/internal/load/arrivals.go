package load

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// arrivals are the calls of an open loop. Any worker may take the next one.
type arrivals struct {
	begin   time.Time
	after   []time.Duration // when each is due
	counted time.Duration   // those before are a warm-up
	end     time.Duration
	taken   atomic.Int64
}

// arrival is a call that was taken.
type arrival struct {
	due    time.Time
	counts bool
	late   bool // taken when no more arrived
}

// newArrivals begins now. The same seed gives the same arrivals, of which at least
// one counts, if it takes longer to come.
func newArrivals(rate float64, warmup, duration time.Duration, seed uint64) *arrivals {
	q := &arrivals{counted: warmup, end: warmup + duration}
	random := rand.New(rand.NewPCG(seed, 0))
	for at := 0.0; ; {
		at += random.ExpFloat64() / rate // of a Poisson process: so are the gaps
		after := time.Duration(at * float64(time.Second))
		if n := len(q.after); after >= q.end && n > 0 && q.after[n-1] >= warmup {
			break
		}
		q.after = append(q.after, after)
		q.end = max(q.end, after)
	}
	q.begin = time.Now()
	return q
}

// take returns the next arrival, which may be due later, and false when there are
// no more.
func (q *arrivals) take() (arrival, bool) {
	n := int(q.taken.Add(1)) - 1
	if n >= len(q.after) {
		return arrival{}, false
	}
	return arrival{due: q.begin.Add(q.after[n]), counts: q.after[n] >= q.counted, late: time.Since(q.begin) > q.end}, true
}
