package balancer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
)

// Whatever there is to do, whoever is chosen has the fewest calls for its
// weight, reckoned the naive way, and of several each is chosen at times.
func TestFullScanChoosesTheLeast(t *testing.T) {
	bits := rand.New(rand.NewPCG(13, 14))
	for range 300 {
		n := 2 + bits.IntN(8)
		weights, factors, loads := make([]int, n), make([]float32, n), make([]float64, n)
		for i := range weights {
			weights[i], factors[i] = 1<<bits.IntN(4), float32(1+bits.IntN(2))
		}
		if bits.IntN(2) == 0 {
			factors = nil
		}
		_, nodes := withWeights(t, weights...)
		for i, node := range nodes {
			calls := bits.IntN(5)
			hold(node, calls, start)
			loads[i] = float64(calls) / float64(weights[i])
			if factors != nil {
				loads[i] /= float64(factors[i])
			}
		}
		picker := balancer.LeastRequest{FullScan: true}.Picker(balancer.Candidates{Nodes: nodes, Factors: factors})
		least, chosen := slices.Min(loads), map[int]bool{}
		for range 1000 {
			i := slices.Index(nodes, picker.Pick(balancer.Request{Rand: bits.Uint64()}))
			if loads[i] != least {
				t.Fatalf("of loads %v, %v was chosen", loads, loads[i])
			}
			chosen[i] = true
		}
		for i, load := range loads {
			if load == least && !chosen[i] {
				t.Fatalf("of loads %v, node %d was never chosen", loads, i)
			}
		}
	}
}

// Ties are drawn by weight, wherever in the list they are. A draw of the place
// to begin at would give the first after a gap the share of the gap.
func TestFullScanDrawsTies(t *testing.T) {
	tests := []struct {
		name    string
		weights []int
		busy    []int
		want    []float64
	}{
		{"all", []int{100, 100, 100, 100}, nil, []float64{1, 1, 1, 1}},
		{"two beside each other", []int{100, 100, 100, 100, 100, 100, 100, 100}, []int{0, 3, 4, 5, 6, 7}, []float64{0, 1, 1, 0, 0, 0, 0, 0}},
		{"the first and the last", []int{100, 100, 100, 100}, []int{1, 2}, []float64{1, 0, 0, 1}},
		{"one", []int{100, 100, 100}, []int{0, 2}, []float64{0, 1, 0}},
		{"by weight", []int{300, 100, 200}, nil, []float64{3, 1, 2}},
		{"by weight, with a gap", []int{100, 900, 300}, []int{1}, []float64{1, 0, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, nodes := withWeights(t, tt.weights...)
			for _, i := range tt.busy {
				hold(nodes[i], 1, start)
			}
			got := picked(balancer.LeastRequest{FullScan: true}.Picker(balancer.Among(nodes...)), nodes)
			wantShares(t, got, sharesOf(tt.want), 0.014)
		})
	}
}

func TestFullScanDrawsManyTiesEvenly(t *testing.T) {
	if underRace {
		t.Skip("one goroutine draws")
	}
	const n, draws = 100, 200_000
	_, nodes := withWeights(t, slices.Repeat([]int{100}, n)...)
	picker := balancer.LeastRequest{FullScan: true}.Picker(balancer.Among(nodes...))
	bits := rand.New(rand.NewPCG(15, 16))
	got := make([]int, n)
	for range draws {
		got[picker.Pick(balancer.Request{Rand: bits.Uint64()}).Index()]++
	}
	chi2 := 0.0
	for _, g := range got {
		d := float64(g) - draws/n
		chi2 += d * d / (draws / n)
	}
	if freedom := float64(n - 1); chi2 > freedom+5*math.Sqrt(2*freedom) {
		t.Errorf("chi² is %.0f with %.0f degrees of freedom", chi2, freedom)
	}
}

// The same bits, the same choice.
func TestFullScanIsGivenItsChance(t *testing.T) {
	_, nodes := withWeights(t, 100, 200, 300, 400)
	picker := balancer.LeastRequest{FullScan: true}.Picker(balancer.Among(nodes...))
	seen := map[string]bool{}
	for bits := range uint64(100) {
		r := balancer.Request{Rand: bits * 0x9e3779b97f4a7c15}
		first := picker.Pick(r)
		if picker.Pick(r) != first {
			t.Fatal("another choice")
		}
		seen[first.ID()] = true
	}
	if len(seen) != 4 {
		t.Errorf("only %s", fmt.Sprint(seen))
	}
}
