// Package bound has the choices that no client can make, since they know how all
// instances are at the moment: what a policy gets is measured against them.
package bound

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// best returns the instance with the least price of those that are up, -1 if none
// is. Of those that cost the same, bits draw one.
func best(f sim.Fleet, bits uint64, price func(i int) float64) int {
	chosen, least, alike := -1, 0.0, uint64(0)
	for i := range f.Len() {
		if !f.Up(i) {
			continue
		}
		p := price(i) + failing(f, i)
		switch {
		case chosen < 0 || p < least:
			chosen, least, alike = i, p, 1
		case p == least:
			// The nth of its kind replaces the one before with a chance of 1 ÷ n.
			alike++
			bits = again(bits)
			if (bits>>32)*alike>>32 == 0 {
				chosen = i
			}
		}
	}
	return chosen
}

// failing is what failures cost, in nanoseconds: a call that fails in one of ten
// cases is worth a second's wait.
func failing(f sim.Fleet, i int) float64 { return (1 - f.Works(i)) * 10e9 }

// again returns other bits (Knuth's linear congruential generator, of which the
// upper half is good).
func again(bits uint64) uint64 { return bits*6364136223846793005 + 1442695040888963407 }
