package bound

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// P2COracle draws two instances, as the policies of two choices do, and takes the
// one where the call will be done first, as far as that can be known: how long it
// will wait is, how long it will take is not, but for how fast the instance is. No
// policy that draws two can do better.
type P2COracle struct{}

// String returns "p2c-oracle".
func (P2COracle) String() string { return "p2c-oracle" }

// Choose implements [sim.Oracle].
func (P2COracle) Choose(f sim.Fleet, bits uint64) int {
	n := uint64(f.Len())
	if n < 2 {
		return best(f, bits, func(int) float64 { return 0 })
	}
	// Those that cannot be called, since they are not on the list, are drawn and
	// thrown away.
	for range 64 {
		bits = again(bits)
		i := int((bits >> 32) * n >> 32)
		bits = again(bits)
		j := int((bits >> 32) * (n - 1) >> 32)
		if j >= i {
			j++
		}
		if f.Up(i) && f.Up(j) {
			if done(f, j) < done(f, i) {
				return j
			}
			return i
		}
	}
	return best(f, bits, func(i int) float64 { return done(f, i) })
}

func done(f sim.Fleet, i int) float64 {
	return float64(f.Wait(i)+f.Takes(i)) + failing(f, i)
}
