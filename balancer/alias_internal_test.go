package balancer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The probabilities are put together again from the pieces of the table, and
// are the quotas to the last unit.
func TestAliasesAreExact(t *testing.T) {
	bits := rand.New(rand.NewPCG(7, 8))
	for _, weights := range [][]float64{{1}, {1, 1}, {1, 2}, {5, 1, 1}, {1e-45, math.MaxFloat32}, {math.MaxInt64, 1, 1, 1}} {
		checkAliases(t, weights)
	}
	for range 500 {
		weights := make([]float64, 1+bits.IntN(1000))
		spread := 40 * bits.Float64()
		for i := range weights {
			weights[i] = math.Exp(spread * bits.Float64())
		}
		checkAliases(t, weights)
	}
}

func checkAliases(t *testing.T, weights []float64) {
	t.Helper()
	table := newAliases(weights)
	got, total, sum := make([]uint64, len(weights)), uint64(len(weights))*whole, 0.0
	for i, c := range table {
		got[i] += uint64(c.own)
		got[c.other] += whole - uint64(c.own)
		sum += weights[i]
	}
	if want := quotas(weights); !slices.Equal(got, want) {
		t.Fatalf("the pieces for %v are %v, want %v", weights, got, want)
	}
	pieces := uint64(0)
	for i, q := range got {
		pieces += q
		share, want := float64(q)/float64(total), weights[i]/sum
		if off := math.Abs(share - want); q == 0 || off > 1/float64(whole) {
			t.Errorf("weight %v of %v has a share of %v", weights[i], sum, share)
		}
	}
	if pieces != total {
		t.Errorf("the pieces are %d, the columns %d", pieces, total)
	}
}

// Every bit pattern draws what the table says of its place.
func TestAliasesDrawWhatTheTableSays(t *testing.T) {
	table := newAliases([]float64{5, 1, 1, 3})
	for i, c := range table {
		column := uint64(i) << 62 // of four
		tests := []struct {
			name   string
			height uint32
			want   int
		}{
			{"the lowest", 0, i},
			{"the last of its own", c.own - 1, i},
			{"the first of the other's", c.own, int(c.other)},
			{"the highest", math.MaxUint32, int(c.other)},
		}
		for _, tt := range tests {
			if c.own == 0 {
				tt.want = i // all of it, written the other way round
			}
			if got := table.draw(column | uint64(tt.height)); got != tt.want {
				t.Errorf("column %d, %s: got %d, want %d", i, tt.name, got, tt.want)
			}
		}
	}
}
