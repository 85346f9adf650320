package balancer

import "math"

// P2CEWMA is the default policy: it draws two nodes without replacement and
// chooses the one whose next call is expected to cost less,
//
//	cost × (outstanding + 1) ÷ weight
//
// where cost is the node's peak EWMA of latency (Finagle's p2c_peak_ewma),
// with these rules of our own:
//
//   - What a node has shown counts less the longer ago that was. The two draws
//     pull each other to their mean, weighted by how fresh each is: an idle
//     node drifts to its peers' level, never to zero, and a node without
//     history starts at it.
//   - Costs that differ by less than an eighth are equal, and then the draw
//     decides. So a node that drifted is tried again, however little there is
//     to do.
//   - Where the cheaper of the two has calls outstanding, a third is drawn, and
//     compared with it: among servers of several speeds near their limit, both of
//     two are too often slow ones.
//   - Of two of different weight the lighter one is spared the division now and
//     then, or it would get nothing while there is little to do: a node of a
//     tenth of the weight would wait until the other has ten calls.
//   - Cost is never below the age of the oldest call that is still outstanding,
//     so that a node that has stopped answering is seen before it answers.
//   - Failures multiply the cost, up to 1024 times, and never lower the latency:
//     fast errors attract nothing.
type P2CEWMA struct{}

// String returns "p2c-ewma".
func (P2CEWMA) String() string { return "p2c-ewma" }

// Picker implements [Policy].
func (P2CEWMA) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	return &p2cEWMA{c.Nodes, c.factors()}
}

type p2cEWMA struct {
	nodes   []*Node
	factors []float32 // nil: 1
}

func (p *p2cEWMA) Pick(r Request) *Node {
	i, j := drawTwo(r.Rand, len(p.nodes))
	n := p.cheaper(i, j, r)
	if n.outstanding.Load() < one || len(p.nodes) == 2 {
		return n
	}
	if n == p.nodes[j] {
		i, j = j, i
	}
	return p.third(i, j, r)
}

// third returns the cheaper of node i and a third that is drawn beside i and j.
func (p *p2cEWMA) third(i, j int, r Request) *Node {
	r.Rand = mix(r.Rand)
	k := drawOne(r.Rand, len(p.nodes)-2) // of the lower half: the upper drew the part
	if k >= min(i, j) {
		k++
	}
	if k >= max(i, j) {
		k++
	}
	return p.cheaper(i, k, r)
}

// cheaper returns that of two nodes whose next call is expected to cost less,
// the first where that is the same.
func (p *p2cEWMA) cheaper(i, j int, r Request) *Node {
	a, b := p.nodes[i], p.nodes[j]
	at := tickOf(r.Now)
	aLoad, aWord := a.outstanding.Load(), a.latency.Load()
	bLoad, bWord := b.outstanding.Load(), b.latency.Load()

	// Each latency holds 1/aged of itself. With x and y the latencies, u and v
	// how they have aged and d = x-y, their mean weighted by freshness is
	// (x·v + y·u) ÷ (u+v), and each stands d ÷ (u+v) from it after drifting.
	// Only the order of the two is wanted, so nothing is divided: all is told
	// in units of 1 ÷ (u+v).
	x, y := latencyOf(aWord), latencyOf(bWord)
	u, v := aged(at.since(tick(aWord))), aged(at.since(tick(bWord)))
	scale := u + v
	if x == 0 || y == 0 { // no history: taken to be like the other
		x = max(x, y, unknown)
		y = x
	}
	mean, d := x*v+y*u, x-y
	cx, cy := mean+d, mean-d

	// Failures, which are rare, make it dearer.
	if f := a.failing.Load(); f != 0 {
		cx *= penalty(f, u)
	}
	if f := b.failing.Load(); f != 0 {
		cy *= penalty(f, v)
	}
	// The processor cannot guess which of two drawn nodes it will be. Of positive
	// floats the bits are in the same order, and of choices between integers the
	// compiler makes no jumps.
	xBits, yBits := math.Float32bits(cx), math.Float32bits(cy)
	if max(xBits, yBits) < math.Float32bits(alike*math.Float32frombits(min(xBits, yBits))) {
		xBits = yBits
	}
	cx = math.Float32frombits(xBits)
	// Waiting calls make it at least as dear as the longest has waited.
	if aLoad|bLoad >= one {
		cx = max(cx, a.oldest(aLoad, at)*scale)
		cy = max(cy, b.oldest(bLoad, at)*scale)
	}
	aPer, bPer := p.per(i), p.per(j)
	if aCalls, bCalls := float32(aLoad>>32), float32(bLoad>>32); aPer == bPer {
		cx *= aCalls + 1
		cy *= bCalls + 1
	} else {
		aTimes, bTimes := handicap(r.Rand, len(p.nodes), aPer, bPer, aCalls, bCalls)
		cx *= aTimes
		cy *= bTimes
	}
	if math.Float32bits(cy) < math.Float32bits(cx) {
		a = b
	}
	return a
}

// per is DefaultWeight ÷ weight of a node.
func (p *p2cEWMA) per(i int) float32 {
	per := math.Float32frombits(p.nodes[i].perWeight.Load())
	if p.factors != nil {
		per /= p.factors[i]
	}
	return per
}

// unknown stands for the latency of two nodes without history: so small that
// only their counts and the ages of their calls decide.
const unknown = float32(1)

func latencyOf(word uint64) float32 { return math.Float32frombits(uint32(word >> 32)) }

// alike is how many times dearer tells nothing.
const alike = 1 + 1.0/8

// penalty is the factor that failures put on the cost, fading as they age.
func penalty(failing uint32, aged float32) float32 {
	ok := 1 - shareOf(failing)/aged
	return 1 / (ok * ok)
}
