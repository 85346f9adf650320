package bound

import (
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

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
	// Those that are not on the list are drawn and thrown away.
	for range 64 {
		bits = bits*6364136223846793005 + 1442695040888963407
		i := int((bits >> 32) * n >> 32)
		bits = bits*6364136223846793005 + 1442695040888963407
		j := int((bits >> 32) * (n - 1) >> 32)
		if j >= i {
			j++
		}
		if n < 2 {
			j = i
		}
		a, b := f.Well(i), f.Well(j)
		switch {
		case a && (!b || done(f, i) <= done(f, j)):
			return i
		case b:
			return j
		}
	}
	return best(f, bits, func(int) float64 { return 0 })
}

func done(f sim.Fleet, i int) time.Duration { return f.Wait(i) + f.Takes(i) }
