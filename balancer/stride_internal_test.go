package balancer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// from returns a counter whose next turn is the first.
func from(turn uint32) *counter {
	c := new(counter)
	c.last.Store(turn - 1)
	return c
}

// A full cycle gives everybody exactly what they weigh.
func TestStrideKeepsProportionsExactly(t *testing.T) {
	for _, s := range []stride{{65535, 65535}, {65535, 1}, {65535, 32768, 1}, {1, 2, 3, 65535}, {65535, 21845, 13107, 4369, 4370}} {
		got := make([]int, len(s))
		turns := from(0)
		for cycle := uint32(mostStride * len(s)); ; {
			place := s.next(turns)
			if turns.last.Load() >= cycle {
				break
			}
			got[place]++
		}
		for i, w := range s {
			if got[i] != int(w) {
				t.Errorf("%v: place %d had %d turns", s, i, got[i])
			}
		}
	}
}

// The turns of a place are as far apart as its weight says, give or take one
// round.
func TestStrideSpreadsTurnsEvenly(t *testing.T) {
	s := stride{65535, 20000, 777, 65534, 40000}
	last := make([]int, len(s))
	for turns := from(0); ; {
		place := s.next(turns)
		round := int(turns.last.Load()) / len(s)
		if round >= mostStride {
			break
		}
		if gap, fair := float64(round-last[place]), mostStride/float64(s[place]); last[place] > 0 && math.Abs(gap-fair) >= 1 {
			t.Fatalf("place %d was passed over for %v rounds, fair are %v", place, gap, fair)
		}
		last[place] = round
	}
}

// Two neighbours that are passed over every fifth round are not in the same one.
func TestStridePassesOverNeighboursApart(t *testing.T) {
	s, _ := newStride([]float64{80, 80, 100})
	one, both := 0, 0
	for turns, last := from(0), uint32(0); last < 30_000; {
		s.next(turns)
		switch now := turns.last.Load(); now - last {
		case 2:
			one++
			last = now
		case 3:
			both++
			last = now
		default:
			last = now
		}
	}
	if both > one/100 {
		t.Errorf("%d times both were passed over, %d times one was", both, one)
	}
}

func TestStrideOfEqualsIsRoundRobin(t *testing.T) {
	s, _ := newStride([]float64{57.3, 57.3, 57.3})
	turns := from(0)
	for i := range 300_000 {
		if got := s.next(turns); got != i%3 {
			t.Fatalf("turn %d went to %d", i, got)
		}
	}
}

func TestStrideScalesWeights(t *testing.T) {
	many := func(last float64) []float64 { return append(slices.Repeat([]float64{1}, 99), last) }
	tests := []struct {
		name    string
		weights []float64
		last    uint16
		first   uint16
		cut     bool
	}{
		{"the heaviest is not passed over", []float64{50, 100}, 65535, 32768, false},
		{"the lightest has a turn in a cycle", []float64{1e-30, 1e30}, 65535, 1, false},
		{"ten times the mean of many is allowed", many(10.9), 65535, 6012, false},
		{"more is cut to that", many(12), 65535, 5958, true}, // 11 ÷ (99 + 11) is a tenth
		{"however much more", many(1e57), 65535, 5958, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, cut := newStride(tt.weights)
			if s[0] != tt.first || s[len(s)-1] != tt.last || cut != tt.cut {
				t.Errorf("got %d … %d, cut %v; want %d … %d, %v", s[0], s[len(s)-1], cut, tt.first, tt.last, tt.cut)
			}
		})
	}
}

// However different the weights, a choice takes few turns on the average, and
// no weight is cut to less than it must be.
func TestStrideChoosesInFewTurns(t *testing.T) {
	bits := rand.New(rand.NewPCG(5, 6))
	rounds := 300
	if raceEnabled {
		rounds = 30
	}
	for range rounds {
		weights := make([]float64, 1+bits.IntN(500))
		spread := 60 * bits.Float64()
		for i := range weights {
			weights[i] = math.Exp(spread * bits.Float64())
		}
		most, cut := ceiling(weights)
		sum := 0.0
		for _, w := range weights {
			sum += min(w, most)
		}
		mean := sum / float64(len(weights))
		if rounds := most / mean; rounds > mostRounds*1.000001 || cut && rounds < mostRounds*0.999999 || cut != (most < slices.Max(weights)) {
			t.Fatalf("of %d, spread e^%.1f: ceiling is %v times the mean, cut %v", len(weights), spread, rounds, cut)
		}
		s, _ := newStride(weights)
		turns := from(bits.Uint32N(1 << 30))
		before := turns.last.Load()
		for range 20_000 {
			s.next(turns)
		}
		// What rounding up to 1 adds makes it less.
		if got := float64(turns.last.Load()-before) / 20_000; got > mostRounds*1.2 {
			t.Fatalf("of %d, spread e^%.1f: a choice takes %.1f turns", len(weights), spread, got)
		}
	}
}

// When the counter begins again, one turn comes at a wrong time, and that is all.
func TestCountersBeginAgain(t *testing.T) {
	nodes := make([]*Node, 3)
	for i := range nodes {
		nodes[i] = new(Node)
	}
	robin := &roundRobin{nodes: nodes}
	robin.last.Store(math.MaxUint32 - 30)
	got := map[*Node]int{}
	for range 60 {
		got[robin.Pick(Request{})]++
	}
	for i, n := range nodes {
		if got[n] < 19 || got[n] > 21 {
			t.Errorf("round robin: node %d had %d of 60 turns", i, got[n])
		}
	}

	s := stride{65535, 65535, 32768}
	turns := from(math.MaxUint32 - 30)
	places := make([]int, 3)
	for range 50 {
		places[s.next(turns)]++
	}
	if places[0] < 18 || places[0] > 22 || places[1] < 18 || places[1] > 22 || places[2] < 8 || places[2] > 12 {
		t.Errorf("static stride: %v of 50 turns", places)
	}
}
