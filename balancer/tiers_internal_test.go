package balancer

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The tables of Envoy's documentation of priority levels. Envoy reckons in whole
// percent, so that a share may differ by less than one.
func TestEnvoysPriorityLoad(t *testing.T) {
	for _, tt := range []struct{ well, want []float64 }{
		{[]float64{100, 100}, []float64{100, 0}},
		{[]float64{72, 100}, []float64{100, 0}},
		{[]float64{71, 100}, []float64{99, 1}},
		{[]float64{50, 100}, []float64{70, 30}},
		{[]float64{25, 100}, []float64{35, 65}},
		{[]float64{0, 100}, []float64{0, 100}},

		{[]float64{72, 72}, []float64{100, 0}},
		{[]float64{71, 71}, []float64{99, 1}},
		{[]float64{50, 50}, []float64{70, 30}},
		{[]float64{25, 25}, []float64{50, 50}},
		{[]float64{5, 65}, []float64{7, 93}},

		{[]float64{100, 100, 100}, []float64{100, 0, 0}},
		{[]float64{72, 72, 100}, []float64{100, 0, 0}},
		{[]float64{71, 71, 100}, []float64{99, 1, 0}},
		{[]float64{50, 50, 100}, []float64{70, 30, 0}},
		{[]float64{25, 100, 100}, []float64{35, 65, 0}},
		{[]float64{25, 25, 100}, []float64{35, 35, 30}},
		{[]float64{25, 25, 20}, []float64{36, 36, 28}},

		{[]float64{0, 0}, []float64{100, 0}},
	} {
		health := make([]float64, len(tt.well))
		for i, w := range tt.well {
			health[i] = healthOf(w, 100)
		}
		shares, _ := fill(health)
		for i := range shares {
			if math.Abs(100*shares[i]-tt.want[i]) > 0.9 {
				t.Errorf("%v %% well: level %d gets %.1f %%, Envoy says %v", tt.well, i, 100*shares[i], tt.want)
			}
		}
	}
}

// Whatever the health, everything goes somewhere, nobody gets more than their
// part, and nobody is preferred to a nearer one that has room.
func TestFill(t *testing.T) {
	bits := rand.New(rand.NewPCG(7, 8))
	random := func() []float64 {
		health := make([]float64, 1+bits.IntN(6))
		for i := range health {
			if health[i] = min(1, bits.Float64()*1.4); bits.IntN(4) == 0 {
				health[i] = float64(bits.IntN(2))
			}
		}
		return health
	}
	for range 20_000 {
		health := random()
		shares, enough := fill(health)
		sum, all, got := 0.0, 0.0, 0.0
		for _, h := range health {
			all += h
		}
		for i, share := range shares {
			sum += share
			got += share
			if share < 0 || share > 1 {
				t.Fatalf("health %v: share %v", health, share)
			}
			if enough && share > health[i]+1e-9 {
				t.Fatalf("health %v: level %d gets %v, more than it can take", health, i, share)
			}
			if enough && share < health[i]-1e-9 && got < 1-1e-9 {
				t.Fatalf("health %v: level %d gets %v although it has room", health, i, share)
			}
			if !enough && all > 0 && math.Abs(share-health[i]/all) > 1e-9 {
				t.Fatalf("health %v: level %d gets %v, not its part of what there is", health, i, share)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("health %v: shares %v add up to %v", health, shares, sum)
		}
		if enough != (all >= 1) {
			t.Fatalf("health %v: enough is %v", health, enough)
		}

		// Who gets better gets no fewer calls.
		better := bits.IntN(len(health))
		health[better] = min(1, health[better]+bits.Float64())
		if after, _ := fill(health); after[better] < shares[better]-1e-9 {
			t.Fatalf("level %d got better and got less: %v, then %v", better, shares, after)
		}
	}
}

func TestHealthOf(t *testing.T) {
	for _, tt := range []struct{ well, of, want float64 }{
		{0, 0, 0}, // nobody is there
		{0, 10, 0},
		{10, 10, 1},
		{8, 10, 1},
		{5, 10, 0.7},
		{1, 100, 0.014},
	} {
		if got := healthOf(tt.well, tt.of); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%v of %v: %v, want %v", tt.well, tt.of, got, tt.want)
		}
	}
}
