package sim

import (
	"math/bits"
	"time"
)

// Histogram counts durations in ranges of which the upper end is within 0.8 % of
// the lower: 128 to each power of two.
type Histogram struct {
	counts []uint32
	n      int64
	sum    float64
}

const (
	fine   = 7
	ranges = (64 - fine) << fine
)

func newHistogram() Histogram { return Histogram{counts: make([]uint32, ranges)} }

func rangeOf(d uint64) int {
	shift := max(0, bits.Len64(d)-fine-1)
	return shift<<fine + int(d>>shift)
}

// bounds are those of a range: from and below.
func bounds(i int) (from, below float64) {
	shift := max(0, i>>fine-1)
	low := uint64(i - shift<<fine)
	return float64(low << shift), float64((low + 1) << shift)
}

func (h *Histogram) add(d time.Duration) {
	h.counts[rangeOf(uint64(max(0, d)))]++
	h.n++
	h.sum += float64(d)
}

// merge adds what another has.
func (h *Histogram) merge(other *Histogram) {
	if other.n == 0 {
		return
	}
	for i, c := range other.counts {
		h.counts[i] += c
	}
	h.n, h.sum = h.n+other.n, h.sum+other.sum
}

func (h *Histogram) reset() {
	if h.n == 0 {
		return
	}

	clear(h.counts)
	h.n, h.sum = 0, 0
}

// Count is how many there are.
func (h *Histogram) Count() int64 { return h.n }

// Mean is exact; 0 if there are none.
func (h *Histogram) Mean() time.Duration {
	return time.Duration(h.sum / float64(max(1, h.n)))
}

// Quantile returns what a share q of them does not exceed, 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	left := q * float64(h.n)
	for i, c := range h.counts {
		if c > 0 && float64(c) >= left {
			from, below := bounds(i)
			return time.Duration(from + (below-from)*max(0, left)/float64(c))
		}
		left -= float64(c)
	}
	return 0
}

// Above is the share of those that are longer.
func (h *Histogram) Above(d time.Duration) float64 {
	at, count := rangeOf(uint64(max(0, d))), 0.0
	for i := at; i < len(h.counts); i++ {
		part := float64(h.counts[i])
		if i == at {
			from, below := bounds(i)
			part *= (below - float64(d)) / (below - from)
		}
		count += part
	}
	return count / float64(max(1, h.n))
}
