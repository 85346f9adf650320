package balancer

import "math"

// fullScan is [LeastRequest] with FullScan.
type fullScan struct {
	nodes   []*Node
	factors []float32 // nil: 1
}

// Pick draws among those that tie while it looks (reservoir sampling, as in
// Envoy): with each further one, that one stays with the probability of its
// weight among those found. A random place to start from would not do: the first
// after a gap would be chosen more often than others.
func (p *fullScan) Pick(r Request) *Node {
	best, least, ties := p.nodes[0], float32(math.MaxFloat32), float32(0)
	bits := r.Rand
	for i, n := range p.nodes {
		per := math.Float32frombits(n.perWeight.Load())
		if p.factors != nil {
			per /= p.factors[i]
		}
		switch load := float32(n.outstanding.Load()>>32) * per; {
		case load > least:
		case load < least:
			best, least, ties = n, load, 1/per
		default:
			ties += 1 / per
			bits = bits*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
			if float32(bits>>40)*ties*per < 1<<24 {
				best = n
			}
		}
	}
	return best
}
