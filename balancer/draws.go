package balancer

import "math/bits"

// draws are numbers below n that are drawn without replacement, at most
// mostDraws of them and never more than n.
type draws struct {
	bits  uint64 // of which the highest count
	n     int
	count int
	drawn [mostDraws]int32 // rising
}

const mostDraws = 8

// next draws from those that are left, and steps over the ones that were drawn,
// as drawTwo does.
func (d *draws) next() int {
	high, _ := bits.Mul64(d.bits, uint64(d.n-d.count))
	d.stir()
	number, place := int32(high), 0
	for place < d.count && d.drawn[place] <= number {
		number++
		place++
	}
	copy(d.drawn[place+1:d.count+1], d.drawn[place:d.count])
	d.drawn[place] = number
	d.count++
	return int(number)
}

// stir makes other bits of the bits: one step of a linear congruential generator
// (the multiplier is from Steele and Vigna, 2021).
func (d *draws) stir() { d.bits = d.bits*0xd1342543de82ef95 + 1 }
