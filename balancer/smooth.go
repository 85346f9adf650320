package balancer

import "math"

const (
	// mostTurns is how many turns a round has, about, where weights cannot be
	// kept exactly in fewer.
	mostTurns = 4096
	// leastSlots is how many a node of mean weight must have then, so that
	// rounding does not tell: its share is off by 1 ÷ 32 at most.
	leastSlots = 16
)

// turnsIn returns how many turns each node has in a round: weights as integers
// that have no common divisor. Whole numbers are kept exactly if their sum is at
// most mostTurns. Otherwise they are scaled to that, but nobody is left without
// a turn. nil: so many nodes that rounding would tell.
func turnsIn(weights []float64) []int64 {
	if exact := integers(weights); exact != nil {
		if reduce(exact) <= mostTurns {
			return exact
		}
	}
	if len(weights)*leastSlots > mostTurns {
		return nil
	}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	scaled := make([]int64, len(weights))
	for i, w := range weights {
		scaled[i] = max(1, int64(math.Round(w/sum*mostTurns)))
	}
	reduce(scaled)
	return scaled
}

// integers returns weights as integers, nil if they are none. A weight has been
// a float32, so it may be off by a little.
func integers(weights []float64) []int64 {
	const most, off = 1 << 24, 1e-6
	whole := make([]int64, len(weights))
	for i, w := range weights {
		nearest := math.Round(w)
		if nearest < 1 || nearest > most || math.Abs(w-nearest) > off*w {
			return nil
		}
		whole[i] = int64(nearest)
	}
	return whole
}

// reduce divides numbers by their greatest common divisor and returns their sum.
func reduce(numbers []int64) (sum int64) {
	divisor := int64(0)
	for _, b := range numbers {
		for b != 0 {
			divisor, b = b, divisor%b
		}
	}
	for i := range numbers {
		numbers[i] /= divisor
		sum += numbers[i]
	}
	return sum
}

// smooth returns one round of nginx's smooth weighted round robin: in each turn
// everybody's credit grows by their weight, and whoever has most, the first of
// several, has the turn and pays the sum of all weights.
//
// Those who weigh the same come in order, so only the first of each queue is
// looked at. Integers of a bounded sum are of few different sizes.
func smooth(weights []int64) []int {
	total := int64(0)
	queues, number := []queue(nil), map[int64]int{}
	for i, w := range weights {
		total += w
		q, known := number[w]
		if !known {
			q = len(queues)
			number[w], queues = q, append(queues, queue{weight: w})
		}
		queues[q].members = append(queues[q].members, i)
	}
	turns := make([]int, total)
	for i := range turns {
		best := &queues[0]
		for j := range queues {
			q := &queues[j]
			if q.credit += q.weight; q.credit > best.credit || q.credit == best.credit && q.first() < best.first() {
				best = q
			}
		}
		turns[i] = best.first()
		if best.served++; best.served == len(best.members) { // the next first one has not paid yet
			best.served = 0
			best.credit -= total
		}
	}
	return turns
}

// queue are the numbers that weigh the same.
type queue struct {
	weight  int64
	members []int
	served  int   // how many have had their turn this time round
	credit  int64 // of those who have not
}

func (q *queue) first() int { return q.members[q.served] }
