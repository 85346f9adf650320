package balancer

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDrawTwoIsWithoutReplacementAndUniform(t *testing.T) {
	for _, n := range []int{2, 3, 10} {
		const draws = 200_000
		got := make([]int, n*n)
		bits := rand.New(rand.NewPCG(7, 8))
		for range draws {
			i, j := drawTwo(bits.Uint64(), n)
			if i == j || i < 0 || j < 0 || i >= n || j >= n {
				t.Fatalf("drew %d and %d of %d", i, j, n)
			}
			got[i*n+j]++
		}
		// Pearson's test over the n·(n-1) ordered pairs; five standard
		// deviations of slack.
		cells := float64(n * (n - 1))
		expected, chi2 := draws/cells, 0.0
		for i := range n {
			for j := range n {
				if i != j {
					d := float64(got[i*n+j]) - expected
					chi2 += d * d / expected
				}
			}
		}
		if freedom := cells - 1; chi2 > freedom+5*math.Sqrt(2*freedom) {
			t.Errorf("of %d: chi² is %.0f with %.0f degrees of freedom", n, chi2, freedom)
		}
	}
}

func TestDrawsStayInRange(t *testing.T) {
	const top = ^uint64(0)
	for _, bits := range []uint64{0, 1, top >> 32, top &^ (top >> 32), top} {
		for _, n := range []int{2, 3, 1000, 1 << 20} {
			if i := drawOne(bits, n); i < 0 || i >= n {
				t.Errorf("drawOne(%#x, %d) is %d", bits, n, i)
			}
			if i, j := drawTwo(bits, n); i == j || min(i, j) < 0 || max(i, j) >= n {
				t.Errorf("drawTwo(%#x, %d) is %d, %d", bits, n, i, j)
			}
		}
	}
}
