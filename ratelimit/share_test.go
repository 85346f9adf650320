package ratelimit_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-go/fairlead/ratelimit"
)

func TestShare(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name    string
		total   float64
		demands []float64
		want    []float64
	}{
		{"nobody", 100, nil, nil},
		{"one has all", 100, []float64{0}, []float64{100}},
		{"one that wants more has no more", 100, []float64{1000}, []float64{100}},
		{"without demand it is divided equally", 90, []float64{0, 0, 0}, []float64{30, 30, 30}},
		{"what is left is divided equally", 100, []float64{10, 30}, []float64{40, 60}},
		{"the modest get what they demand", 100, []float64{10, 60, 70}, []float64{10, 45, 45}},
		{"in any order", 100, []float64{70, 10, 60}, []float64{45, 10, 45}},
		{"in several steps", 100, []float64{10, 26, 1000, 500}, []float64{10, 26, 32, 32}},
		{"all demand too much", 100, []float64{70, 50, 60, 500}, []float64{25, 25, 25, 25}},
		{"exactly as much", 100, []float64{70, 20, 10}, []float64{70, 20, 10}},
		{"what is no demand is none", 100, []float64{nan, inf, -inf, -5, 200}, []float64{0, 0, 0, 0, 100}},
		{"nothing to divide", 0, []float64{1, 2}, []float64{0, 0}},
		{"less than nothing", -5, []float64{1, 2}, []float64{0, 0}},
		{"no number", nan, []float64{1, 2}, []float64{0, 0}},
		{"without end", inf, []float64{1, 2}, []float64{0, 0}},
		{"demands whose sum is too large for a number", 100, []float64{math.MaxFloat64, math.MaxFloat64}, []float64{50, 50}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ratelimit.Share(tt.total, tt.demands)
			if len(got) != len(tt.want) {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			for i := range got {
				if !near(got[i], tt.want[i]) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// FuzzShare holds shares against what they promise.
func FuzzShare(f *testing.F) {
	bits := rand.New(rand.NewPCG(7, 8))
	f.Add(100.0, 3.0, []byte{})
	for range 16 {
		demands := make([]byte, 1+bits.IntN(40))
		for i := range demands {
			demands[i] = byte(bits.Uint32())
		}
		f.Add(bits.ExpFloat64()*1000, bits.ExpFloat64()*10, demands)
	}
	f.Fuzz(func(t *testing.T, total, unit float64, raw []byte) {
		if !(total >= 1e-9 && total <= 1e9 && unit >= 1e-9 && unit <= 1e9) || len(raw) == 0 || len(raw) > 200 {
			t.Skip()
		}
		demands, sum := make([]float64, len(raw)), 0.0
		for i, b := range raw {
			demands[i] = unit * float64(b)
			sum += demands[i]
		}
		shares := ratelimit.Share(total, demands)
		less := func(a, b float64) bool { return a < b-1e-9*total }
		equal := total / float64(len(shares))

		given := 0.0
		for i, s := range shares {
			given += s
			if less(s, min(demands[i], equal)) {
				t.Errorf("%v of %v for a demand of %v", s, total, demands[i])
			}
			for j := range shares {
				if demands[i] <= demands[j] && less(shares[j], s) {
					t.Errorf("a demand of %v gets %v, and one of %v gets %v", demands[i], s, demands[j], shares[j])
				}
				// Max-min: who lacks something has no less than anybody.
				if sum > total && less(s, demands[i]) && less(s, shares[j]) {
					t.Errorf("a demand of %v gets %v, although one gets %v", demands[i], s, shares[j])
				}
			}
			if sum <= total && !near(s, demands[i]+(total-sum)/float64(len(shares))) && math.Abs(total-sum) > 1e-6*total {
				t.Errorf("a demand of %v gets %v, and %v are left in all", demands[i], s, total-sum)
			}
		}
		if math.Abs(given-total) > 1e-9*total {
			t.Errorf("the shares sum to %v, want %v", given, total)
		}

		i := int(raw[0]) % len(demands)
		demands[i] += unit
		for j, s := range ratelimit.Share(total, demands) {
			if j == i && less(s, shares[j]) || j != i && less(shares[j], s) {
				t.Errorf("demand %d rose, and share %d went from %v to %v", i, j, shares[j], s)
			}
		}
		demands[i] -= unit
		for j, s := range ratelimit.Share(total*1.5, demands) {
			if less(s, shares[j]) {
				t.Errorf("the total rose, and share %d went from %v to %v", j, shares[j], s)
			}
		}
	})
}
