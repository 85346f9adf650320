package serving

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Latencies remembers how long calls took, by how many were in flight when they
// came: the first sixteen numbers each by itself, and then four ranges to each
// power of two. Of each it keeps a mean of late, where a call counts by the time
// since the one before, within bounds: the mean is that of about the last
// second, but of no more than the last 64 calls.
type Latencies [crowds]atomic.Uint64 // a float32 of nanoseconds, and the moment below it; 0: none

const (
	exact  = 16
	crowds = exact + 4*16 // beyond a million all are one

	memory = time.Second
	// late is how old a mean may be before one for other numbers is preferred.
	late = 5 * time.Second
)

// moment is a time in units of about a millisecond. It wraps after 52 days.
type moment uint32

const momentShift = 20

func momentOf(now time.Duration) moment { return moment(now >> momentShift) }

// since returns the time from t to m. Clocks are read before words are, so t may
// be a little later than m: that is no time at all.
func (m moment) since(t moment) time.Duration {
	const skew = 1 << 10 // a second
	if d := m - t; d < -skew&math.MaxUint32 {
		return time.Duration(d) << momentShift
	}
	return 0
}

// crowd is the number of the range that so many calls are in.
func crowd(inFlight int64) int {
	if inFlight < exact {
		return int(max(0, inFlight))
	}
	power := bits.Len64(uint64(inFlight)) - 1 // at least 4
	return min(exact+(power-4)*4+int(inFlight>>(power-2)&3), crowds-1)
}

// Learn takes the latency of a call, in nanoseconds, that found so many in flight
// with itself.
func (l *Latencies) Learn(inFlight int64, latency float32, now time.Duration) {
	at, mean := momentOf(now), &l[crowd(inFlight)]
	for {
		word := mean.Load()
		next := latency
		if word != 0 {
			share := min(1, max(1.0/64, float32(at.since(moment(word)))/float32(memory)))
			last := math.Float32frombits(uint32(word >> 32))
			next = last + (latency-last)*share
		}
		if mean.CompareAndSwap(word, uint64(math.Float32bits(next))<<32|uint64(at)) {
			return
		}
	}
}

// Expect returns the mean with about so many calls in flight: of the nearest
// range that has one of late, else of the one that has the latest. 0: no call has
// ended yet.
func (l *Latencies) Expect(inFlight int64, now time.Duration) time.Duration {
	at, here := momentOf(now), crowd(inFlight)
	latest, youngest := uint64(0), time.Duration(math.MaxInt64)
	for away := range crowds {
		for _, i := range [...]int{here - away, here + away} {
			if i < 0 || i >= crowds {
				continue
			}
			word := l[i].Load()
			if word == 0 {
				continue
			}
			age := at.since(moment(word))
			if age <= late {
				return latencyOf(word)
			}
			if age < youngest {
				latest, youngest = word, age
			}
		}
	}
	return latencyOf(latest)
}

func latencyOf(word uint64) time.Duration {
	return time.Duration(min(math.Float32frombits(uint32(word>>32)), 1<<62))
}
