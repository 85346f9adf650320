package bound

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// ShortestQueue sends each call to the instance with the fewest calls, by how fast
// it works on them: who joins the shortest queue, where all are as fast.
type ShortestQueue struct{}

// String returns "shortest-queue".
func (ShortestQueue) String() string { return "shortest-queue" }

// Counts says that it has to know how many calls servers have.
func (ShortestQueue) Counts() bool { return true }

// Choose implements [sim.Oracle].
func (ShortestQueue) Choose(f sim.Fleet, bits uint64) int {
	return best(f, bits, func(i int) float64 {
		return float64(f.Takes(i)) * float64(f.Calls(i)+1) / float64(f.Workers(i))
	})
}
