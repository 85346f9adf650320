package balancer

import (
	"slices"
	"testing"
)

// Factors go with their nodes, also where some nodes are passed over.
func TestFactorsOfThoseWhoAreEligible(t *testing.T) {
	nodes := inZones(map[string]int{"eu-a": 5})
	factors := []float32{1, 2, 3, 4, 5}
	for _, tt := range []struct {
		name     string
		eligible []*Node
		want     []float32
	}{
		{"all", nodes, factors},
		{"none", nil, []float32{}},
		{"the first is not", nodes[1:], factors[1:]},
		{"the last is not", nodes[:4], factors[:4]},
		{"some", []*Node{nodes[0], nodes[3]}, []float32{1, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := part{nodes: nodes, factors: factors, eligible: tt.eligible}
			if got := p.weighed(); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if p := (part{nodes: nodes, eligible: nodes[1:]}); p.weighed() != nil {
		t.Error("factors where there are none")
	}
}
