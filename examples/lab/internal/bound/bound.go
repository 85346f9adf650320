// Package bound has the choices that no client can make, since they know how all
// instances are at the moment: what a policy gets is measured against them.
package bound

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// best returns the well instance with the least price, of those that cost the same
// one that bits draw; -1 if none is well.
func best(f sim.Fleet, bits uint64, price func(i int) float64) int {
	chosen, least, alike := -1, 0.0, uint64(0)
	for i := range f.Len() {
		if !f.Well(i) {
			continue
		}
		p := price(i)
		switch {
		case chosen < 0 || p < least:
			chosen, least, alike = i, p, 1
		case p == least:
			// The nth of its kind replaces the one before with a chance of 1 ÷ n.
			alike++
			bits = bits*6364136223846793005 + 1442695040888963407
			if (bits>>32)*alike>>32 == 0 {
				chosen = i
			}
		}
	}
	return chosen
}
