package retry

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	// Three windows of ten seconds, as in Finagle's WindowedPercentileHistogram: a
	// latency counts for 20 to 30 seconds.
	latencyWindow  = 10 * time.Second
	latencyWindows = 3
	// Of fewer samples a quantile says nothing.
	leastSamples = 20
	// A power of two, over which callers are spread.
	latencyLanes = 4

	leastLatency = 50 * time.Microsecond
	mostLatency  = time.Minute
	// Between a latency and its double are twenty equal steps, so that none is more
	// than a twentieth of what it is about; the most is within the 21st doubling.
	octave         = 20
	latencyBuckets = 1 + 21*octave
)

// Latencies knows a quantile of the latencies of one method, by those of the last 20
// to 30 seconds. What it says is never below the true one and at most 5 % above it,
// between 50 µs and a minute. The zero value knows nothing yet. It is safe for
// concurrent use, takes no lock and allocates nothing; it is 20 kB large.
type Latencies struct {
	known   atomic.Uint64 // upper half: the second of which it is, lower: microseconds, 0: unknown
	_       [56]byte
	windows [latencyWindows]latencies
}

// latencies are those of one window. Callers are spread by lane, and by their own
// latency.
type latencies struct {
	of     atomic.Uint64 // the window, counted from 1
	_      [56]byte
	counts [latencyLanes][latencyBuckets]atomic.Uint32
}

// beingCleared is later than any window.
const beingCleared = math.MaxUint64

// Record notes that an attempt took d up to now. Whoever hedges records the first
// attempt of each call only, and of one that was given up the time until then: were
// those left out, the quantile would sink with every hedge that wins.
func (l *Latencies) Record(now, d time.Duration) {
	number := spanOf(now, latencyWindow) + 1
	w := &l.windows[number%latencyWindows]
	if of := w.of.Load(); of != number {
		// The first of a window clears what is there of another. What the others
		// would record meanwhile is not worth waiting for.
		if of > number || !w.of.CompareAndSwap(of, beingCleared) {
			return
		}
		for i := range w.counts {
			for j := range w.counts[i] {
				w.counts[i][j].Store(0)
			}
		}
		w.of.Store(number)
	}
	// The nanoseconds of two moments are as good as random bits.
	lane := (uint64(now) ^ uint64(d)<<32) * 0x9e3779b97f4a7c15 >> 32 % latencyLanes
	w.counts[lane][bucketOf(d)].Add(1)
}

// Quantile returns the latency that a share p of all have not exceeded, 0.95 for
// example, as it was at most a second ago. It is false while there are fewer than
// twenty. All who ask one Latencies ask for the same p: within a second all are
// told what the first of them asked for.
func (l *Latencies) Quantile(now time.Duration, p float64) (time.Duration, bool) {
	second, word := uint32(secondOf(now)), l.known.Load()
	if age := int32(second - uint32(word>>32)); age > 0 || word == 0 {
		// The first of a second reckons. The others go on with what there was.
		mine := uint64(second)<<32 | word&math.MaxUint32
		if l.known.CompareAndSwap(word, mine) {
			word = uint64(second)<<32 | uint64(l.quantile(spanOf(now, latencyWindow)+1, p)/time.Microsecond)
			l.known.CompareAndSwap(mine, word)
		} else {
			word = l.known.Load()
		}
	}
	return time.Duration(uint32(word)) * time.Microsecond, uint32(word) != 0
}

// quantile returns 0 if there are too few samples.
func (l *Latencies) quantile(number uint64, p float64) time.Duration {
	var counts [latencyBuckets]uint64
	var all uint64
	for i := range l.windows {
		w := &l.windows[i]
		if of := w.of.Load(); of > number || of+latencyWindows <= number {
			continue
		}
		for j := range w.counts {
			for k := range w.counts[j] {
				n := uint64(w.counts[j][k].Load())
				counts[k] += n
				all += n
			}
		}
	}
	if all < leastSamples {
		return 0
	}
	rank, upTo := p*float64(all), uint64(0)
	for k, n := range counts {
		if upTo += n; float64(upTo) >= rank {
			return ceiling(k)
		}
	}
	return mostLatency
}

// bucketOf returns where a latency is counted.
func bucketOf(d time.Duration) int {
	if d < leastLatency {
		return 0
	}
	d = min(d, mostLatency)
	doublings := bits.Len64(uint64(d/leastLatency)) - 1
	base := leastLatency << doublings
	return 1 + doublings*octave + int((d-base)*octave/base)
}

// ceiling returns what no latency of a bucket exceeds.
func ceiling(bucket int) time.Duration {
	if bucket == 0 {
		return leastLatency
	}
	base := leastLatency << ((bucket - 1) / octave)
	return min(base+base/octave*time.Duration((bucket-1)%octave+1), mostLatency)
}
