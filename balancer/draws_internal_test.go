package balancer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The naive way: the numbers that are left, one taken out at a time.
func TestDrawsAreThoseFromWhatIsLeft(t *testing.T) {
	bits := rand.New(rand.NewPCG(31, 32))
	for range 10_000 {
		n := 1 + bits.IntN(20)
		d := draws{bits: bits.Uint64(), n: n}
		left := make([]int, n)
		for i := range left {
			left[i] = i
		}
		for range min(n, mostDraws) {
			i := int(math.Ldexp(float64(d.bits>>11), -53) * float64(len(left)))
			want := left[i]
			left = slices.Delete(left, i, i+1)
			if got := d.next(); got != want {
				t.Fatalf("of %d drew %d, want %d", n, got, want)
			}
		}
	}
}

// Every ordered triple of five is as likely as any other, also where the bits
// are random in a few places only.
func TestDrawsAreEven(t *testing.T) {
	bits := rand.New(rand.NewPCG(33, 34))
	const rounds = 60_000
	got := map[[3]int]int{}
	for range rounds {
		d := draws{bits: bits.Uint64(), n: 5}
		got[[3]int{d.next(), d.next(), d.next()}]++
	}
	if len(got) != 60 {
		t.Fatalf("%d triples were drawn, there are 60", len(got))
	}
	for triple, n := range got {
		if n < rounds/60*85/100 || n > rounds/60*115/100 {
			t.Errorf("%v was drawn %d times, %d is even", triple, n, rounds/60)
		}
	}
}
