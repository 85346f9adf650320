package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/cputime"
)

// unequal returns n weights of which hardly two are the same.
func unequal(n int) []int {
	bits := rand.New(rand.NewPCG(19, 20))
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 100 + bits.IntN(400)
	}
	return weights
}

// BenchmarkPickUnequal is BenchmarkPick where every node weighs something else,
// for the policies that go by weight alone.
func BenchmarkPickUnequal(b *testing.B) {
	for _, p := range weighted {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("policy=%s/nodes=%d", p.policy, size), func(b *testing.B) {
				pool := newPool(b, p.policy)
				reweigh(pool, unequal(size)...)
				cputime.Start(b)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						pick(pool)
					}
				})
			})
		}
	}
}

// BenchmarkRefresh is a weight that changed while all others stayed, off the way
// of calls. 256 is the most for which a round is made in advance whatever they
// weigh.
func BenchmarkRefresh(b *testing.B) {
	for _, p := range weighted {
		for _, size := range []int{10, 256, 1000, 10_000} {
			b.Run(fmt.Sprintf("policy=%s/nodes=%d", p.policy, size), func(b *testing.B) {
				weights := unequal(size)
				pool, nodes := withWeights(b, weights...)
				picker := p.policy.Picker(balancer.Among(nodes...)).(balancer.Refresher)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					weights[0] = 100 + i%2
					reweigh(pool, weights...)
					b.StartTimer()
					picker.Refresh(time.Duration(i) * time.Second)
				}
			})
		}
	}
}
