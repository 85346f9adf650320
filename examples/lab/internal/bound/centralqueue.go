package bound

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// CentralQueue is one queue for all workers of all instances: whoever is free
// takes the next call, the fastest of several. That is as if each call were sent
// to where a worker is free first.
type CentralQueue struct{}

// String returns "central-queue".
func (CentralQueue) String() string { return "central-queue" }

// Choose implements [sim.Oracle].
func (CentralQueue) Choose(f sim.Fleet, bits uint64) int {
	return best(f, bits, func(i int) float64 {
		if wait := f.Wait(i); wait > 0 {
			return float64(wait)
		}
		return -1 / float64(f.Takes(i)+1)
	})
}
