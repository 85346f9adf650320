package balancer

import (
	"math"
	"slices"
	"testing"
)

func TestFactorsThatCanBeReckonedWith(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tests := []struct {
		name        string
		given, want []float32
	}{
		{"none", nil, nil},
		{"empty", []float32{}, nil},
		{"all 1", []float32{1, 1, 1}, nil},
		{"good ones stay", []float32{0.5, 2, 1}, []float32{0.5, 2, 1}},
		{"no factors at all", []float32{nan, inf, -inf}, []float32{1, 1, 1}},
		{"zero and less", []float32{0, -1, 3}, []float32{1, 1, 3}},
		{"too small and too great", []float32{1e-45, math.MaxFloat32, 1}, []float32{leastFactor, mostFactor, 1}},
		{"too few", []float32{2}, []float32{2, 1, 1}},
		{"too many", []float32{2, 3, 4, 5}, []float32{2, 3, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := slices.Clone(tt.given)
			if got := (Candidates{Nodes: make([]*Node, 3), Factors: tt.given}).factors(); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for i := range given {
				if math.Float32bits(given[i]) != math.Float32bits(tt.given[i]) {
					t.Error("what was given was written to")
				}
			}
		})
	}
}

// Nobody should, but a node may be told any bits.
func TestAWeightIsAPositiveFiniteNumber(t *testing.T) {
	for name, per := range map[string]float64{"0": 0, "NaN": math.NaN(), "infinite": math.Inf(1), "negative": -1, "tiny": math.SmallestNonzeroFloat32, "huge": math.MaxFloat32} {
		t.Run(name, func(t *testing.T) {
			n := new(Node)
			n.perWeight.Store(math.Float32bits(float32(per)))
			if got := n.weight(); !(got > 0 && got <= math.MaxFloat32) {
				t.Errorf("the weight is %v", got)
			}
			other := new(Node)
			other.perWeight.Store(math.Float32bits(1))
			for _, policy := range []Policy{RoundRobin{}, SmoothWeighted{}, WeightedRoundRobin{}, Random{}, LeastRequest{}, LeastRequest{FullScan: true}, P2CEWMA{}} {
				picker := policy.Picker(Among(n, other))
				for bits := range uint64(1000) {
					if picker.Pick(Request{Rand: bits * 0x9e3779b97f4a7c15}) == nil {
						t.Fatalf("%v chose nobody", policy)
					}
				}
			}
		})
	}
}
