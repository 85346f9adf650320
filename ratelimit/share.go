package ratelimit

import (
	"cmp"
	"math"
	"slices"
)

// Share divides a number among those that demand parts of it, max-min fair: whoever
// demands less than an equal part gets what it demands, and the others divide the
// rest in the same way (Bertsekas and Gallager, "Data Networks", 6.5.2; also called
// water-filling). What nobody demands is divided equally and comes on top, so that
// the shares sum to the total, up to rounding, and whoever's demand rises has
// something at once. Nobody gets less than the lesser of its demand and an equal
// part.
//
// Demands that are negative, infinite or no numbers count as 0, and so does such a
// total. Without demands there are no shares.
func Share(total float64, demands []float64) []float64 {
	shares := make([]float64, len(demands))
	rest := counted(total)
	order := make([]int, len(demands))
	for i, d := range demands {
		order[i], shares[i] = i, counted(d)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(shares[a], shares[b]) })
	for n, i := range order {
		shares[i] = min(shares[i], rest/float64(len(order)-n))
		rest -= shares[i]
	}
	for i := range shares {
		shares[i] += rest / float64(len(shares))
	}
	return shares
}

func counted(x float64) float64 {
	if x > 0 && !math.IsInf(x, 1) {
		return x
	}
	return 0
}
