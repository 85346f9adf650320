package balancer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// nginx is the loop as nginx has it.
func nginx(weights []int64) (turns []int) {
	total, credit := int64(0), make([]int64, len(weights))
	for _, w := range weights {
		total += w
	}
	for range total {
		best := 0
		for i, w := range weights {
			if credit[i] += w; credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		turns = append(turns, best)
	}
	return turns
}

func TestSmoothVectors(t *testing.T) {
	tests := []struct {
		name    string
		weights []int64
		want    []int
	}{
		{"nginx's own example", []int64{5, 1, 1}, []int{0, 0, 1, 0, 2, 0, 0}},
		{"the heavy in the middle", []int64{1, 5, 1}, []int{1, 1, 0, 1, 2, 1, 1}},
		{"equals: in order", []int64{1, 1, 1}, []int{0, 1, 2}},
		{"two to one", []int64{2, 1}, []int{0, 1, 0}},
		{"a pair and two", []int64{4, 2, 2}, []int{0, 1, 2, 0, 0, 1, 2, 0}},
		{"one", []int64{1}, []int{0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := smooth(tt.weights); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The queues of those who weigh the same change no turn.
func TestSmoothIsNginxStepByStep(t *testing.T) {
	bits := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		weights := make([]int64, 1+bits.IntN(12))
		most := 1 + bits.Int64N(20)
		for i := range weights {
			weights[i] = 1 + bits.Int64N(most)
		}
		if got, want := smooth(weights), nginx(weights); !slices.Equal(got, want) {
			t.Fatalf("%v: got\n%v, want\n%v", weights, got, want)
		}
	}
}

func FuzzSmoothIsNginxStepByStep(f *testing.F) {
	f.Add([]byte{5, 1, 1})
	f.Add([]byte{255, 3, 255, 3, 1, 1, 1, 254})
	f.Fuzz(func(t *testing.T, weights []byte) {
		shares := make([]int64, min(len(weights), 40))
		for i := range shares {
			shares[i] = max(1, int64(weights[i]))
		}
		if len(shares) == 0 {
			return
		}
		if got, want := smooth(shares), nginx(shares); !slices.Equal(got, want) {
			t.Fatalf("%v: got\n%v, want\n%v", shares, got, want)
		}
	})
}

func TestSlots(t *testing.T) {
	many := func(n int, w, last float64) []float64 {
		return append(slices.Repeat([]float64{w}, n-1), last)
	}
	tests := []struct {
		name    string
		weights []float64
		want    []int64
	}{
		{"no common divisor is left", []float64{500, 100, 100}, []int64{5, 1, 1}},
		{"primes stay", []float64{97, 89}, []int64{97, 89}},
		{"what a float32 made of a whole number", []float64{100 / float64(float32(100)/97), 100 / float64(float32(100)/89)}, []int64{97, 89}},
		{"equal fractions", []float64{57.3, 57.3, 57.3}, []int64{1, 1, 1}},
		{"fractions that divide", []float64{0.5, 1.5}, []int64{1, 3}},
		{"too many turns: what is nearly alike is alike", []float64{10_000, 9_999}, []int64{1, 1}},
		{"too many turns: nobody is left out", []float64{math.MaxInt64, 1}, []int64{4096, 1}},
		{"the tiniest against the greatest", []float64{math.SmallestNonzeroFloat32 * leastFactor, math.MaxFloat32 * mostFactor}, []int64{1, 4096}},
		{"many equals", many(4096, 100, 100), slices.Repeat([]int64{1}, 4096)},
		{"many but few turns", many(2000, 100, 300), append(slices.Repeat([]int64{1}, 1999), 3)},
		{"many and too many turns", many(257, 100, 9999), nil},
		{"too many", many(4097, 100, 100), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := turnsIn(tt.weights); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever the weights, each number of turns is rounded to the next, or 1 where
// that would be none; the roundings of all move the length of the round.
func TestSlotsKeepProportions(t *testing.T) {
	bits := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		n := 1 + bits.IntN(mostTurns/leastSlots)
		weights, sum := make([]float64, n), 0.0
		for i := range weights {
			weights[i] = math.Exp(6 * bits.Float64())
			sum += weights[i]
		}
		shares, total := turnsIn(weights), int64(0)
		for _, s := range shares {
			total += s
		}
		if total > mostTurns+int64(n) {
			t.Fatalf("%d turns in a round of %d", total, n)
		}
		for i, s := range shares {
			got, want := float64(s)/float64(total), weights[i]/sum
			if off := (1 + want*float64(n)) / float64(mostTurns-n/2); s < 1 || math.Abs(got-want) > off {
				t.Fatalf("a share of %v became %v, of %d", want, got, n)
			}
		}
	}
}
