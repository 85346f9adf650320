package balancer

import (
	"math"
	"slices"
)

// stride is the static stride scheduler of gRFC A58, as in grpc-go's and
// grpc-c++'s weightedroundrobin: an order of turns by weight that is reckoned
// from the number of the turn alone, so that a counter is all that changes.
//
// Turns go round all nodes again and again. In mostStride rounds each is passed
// over, at even intervals, in all but as many rounds as it weighs. Weights are
// scaled so that the heaviest is never passed over; if all weigh the same
// nobody is.
type stride []uint16

const (
	mostStride = math.MaxUint16
	// offset, times a node's place, is what its intervals are shifted by, so
	// that neighbours of the same weight are not passed over together.
	offset = mostStride / 2
	// mostRounds is how many turns one choice takes on the average, at most: a
	// weight that would make it more is cut. It is kMaxRatio of grpc-c++.
	mostRounds = 10
)

// newStride returns the schedule of positive weights, at least one, and whether
// one of them was cut. None becomes less than 1 ÷ 65535 of the heaviest.
func newStride(weights []float64) (s stride, cut bool) {
	most, cut := ceiling(weights)
	s = make(stride, len(weights))
	for i, w := range weights {
		s[i] = uint16(max(1, math.Round(min(w, most)/most*mostStride)))
	}
	return s, cut
}

// next returns the place of whoever has the next turn.
func (s stride) next(turns *counter) int {
	n := uint32(len(s))
	for {
		turn := turns.next()
		place, round := uint64(turn%n), uint64(turn/n)
		weight := uint64(s[place])
		if (weight*round+place*offset)%mostStride >= mostStride-weight {
			return int(place)
		}
	}
}

// ceiling returns the heaviest weight, or, where that is more than mostRounds
// times the mean, what the weights have to be cut to so that it is not.
func ceiling(weights []float64) (most float64, cut bool) {
	sum := 0.0
	for _, w := range weights {
		sum += w
		most = max(most, w)
	}
	n := float64(len(weights))
	if most*n <= mostRounds*sum {
		return most, false
	}
	// If the heaviest k are cut to c, and the others sum up to rest, c is
	// mostRounds times the mean for
	//	c × n = mostRounds × (rest + k × c)
	// Wanted is the c that is not above the lightest of the k. Where it is, k is
	// too large.
	sorted := slices.Sorted(slices.Values(weights))
	rest := 0.0
	for i, w := range sorted {
		k := n - float64(i)
		if c := mostRounds * rest / (n - mostRounds*k); n > mostRounds*k && c <= w {
			return c, true
		}
		rest += w
	}
	return most, false // never: the heaviest is above
}
