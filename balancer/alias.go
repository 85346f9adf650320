package balancer

// aliases is a table from which a number is drawn by weight at the cost of one
// look: the alias method (A. J. Walker, "An efficient method for generating
// discrete random variables with general distributions", 1977), built in linear
// time (M. D. Vose, "A linear algorithm for generating random variates with a
// given distribution", 1991).
//
// Every number has a column of the same height, whole. What the light ones leave
// of theirs is given to heavier ones, one at most in each column. Heights are
// integers, so that nothing is lost by rounding: together, the pieces of a
// number are exactly its quota.
type aliases []column

type column struct {
	own   uint32 // how much of the column is its own number's; the rest is other's
	other int32
}

const whole = uint64(1) << 32

// draw takes the column from the upper half of the bits, and the height in it
// from the lower.
func (a aliases) draw(rand uint64) int {
	i := int((rand >> 32) * uint64(len(a)) >> 32)
	if c := a[i]; uint32(rand) >= c.own {
		return int(c.other)
	}
	return i
}

// newAliases returns the table of positive weights, at least one.
func newAliases(weights []float64) aliases {
	left := quotas(weights)
	table := make(aliases, len(weights))
	var light, heavy []int32
	for i, q := range left {
		if table[i].other = int32(i); q < whole {
			light = append(light, int32(i))
		} else {
			heavy = append(heavy, int32(i))
		}
	}
	// All that is left is as many times whole as there are numbers left, so as
	// long as one is below, another is above.
	for len(light) > 0 {
		i, rich := light[len(light)-1], heavy[len(heavy)-1]
		light = light[:len(light)-1]
		table[i] = column{own: uint32(left[i]), other: rich}
		if left[rich] -= whole - left[i]; left[rich] < whole {
			heavy = heavy[:len(heavy)-1]
			light = append(light, rich)
		}
	}
	return table
}

// quotas scales weights so that their mean is whole, exactly, and nobody has
// nothing. What rounding leaves goes to the heaviest.
func quotas(weights []float64) []uint64 {
	sum, heaviest := 0.0, 0
	for i, w := range weights {
		if sum += w; w > weights[heaviest] {
			heaviest = i
		}
	}
	total := uint64(len(weights)) * whole
	left, quotas := total, make([]uint64, len(weights))
	for i, w := range weights {
		quotas[i] = max(1, uint64(w/sum*float64(total)))
		left -= quotas[i]
	}
	quotas[heaviest] += left // modulo 2⁶⁴, as left may be below 0
	return quotas
}
