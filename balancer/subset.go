package balancer

import (
	"cmp"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/discovery"
)

// Subset bounds how many instances of a large service one client calls, and so
// is connected to. The zero value is the default.
//
// Which they are is drawn by weighted rendezvous hashing (Thaler and Ravishankar,
// 1998; gRFC A68 draws without weights, Meta's ServiceRouter with): each
// instance has the score -ln(u) ÷ weight, u being a fraction that is hashed of
// Seed and ID, and the Size smallest are called. A score depends on nothing
// else, so a client calls the same instances after every update, and an instance
// that comes, goes or changes its weight changes one place at most.
//
// Heavy instances are drawn by more clients than light ones. So that they are
// not preferred twice, what each weighs within the subset is divided by the
// probability that it was drawn (Horvitz and Thompson, 1952). Over all clients
// the load of an instance is then as its weight.
//
// Instances that drain are not drawn. Those that are ejected keep their place:
// an outage must not make clients connect to others. Policies that give keys a
// place see all instances, since a key has to be at the same place for all
// clients.
type Subset struct {
	// Off lets every client call all instances.
	Off bool
	// Size is how many are called; 0 means 100, Spring Cloud's number and
	// the upper end of what Google's SRE book calls typical (20 to 100).
	Size int
	// Seed is who the client is, of which all is made that a [Pool] draws by
	// itself: beside the subset, where rounds begin and what is added to the time
	// of ejections. The same draws the same instances, also after a
	// restart. Clients must not share one. "": one at random for each [Pool].
	Seed string
}

// Validate reports a bad field as a [*discovery.FieldError].
func (s Subset) Validate() error {
	if s.Size < 0 {
		return &discovery.FieldError{Field: "Subset.Size", Value: s.Size, Allowed: "0 (meaning 100) or more"}
	}
	return nil
}

func (s Subset) withDefaults() Subset {
	s.Size = cmp.Or(s.Size, 100)
	return s
}

// draw returns those of the nodes, sorted by ID, that are called, and what their
// weights are to be multiplied by, nil where they weigh the same. Earlier is the
// list of a moment ago. Its cost is that of looking at every node once.
func (s Subset) draw(nodes, earlier []*Node) (some []*Node, factors []float32) {
	if s.Off || len(nodes) <= s.Size {
		return nodes, nil
	}
	best := make(smallest, 0, s.Size+1)
	for at, n := range nodes {
		best.offer(scored{float64(math.Float32frombits(n.score.Load())), at})
	}
	// The smallest score that was not enough is what a node's own had to be
	// below. Given all others, whether it is has the probability below, and
	// therefore what is divided by that is right on average: the estimator of
	// Cohen and Kaplan (2007). The largest that was enough would not do, since it
	// depends on the node's own.
	limit := best[0].score
	drawn := best[1:]
	slices.SortFunc(drawn, func(a, b scored) int { return a.at - b.at })

	subset := list{earlier: earlier, room: s.Size}
	alike := true
	for _, d := range drawn {
		subset.add(nodes[d.at])
		alike = alike && nodes[d.at].announced() == nodes[drawn[0].at].announced()
	}
	if alike {
		return subset.nodes(), nil
	}
	factors = make([]float32, len(drawn))
	for i, d := range drawn {
		factors[i] = float32(-1 / math.Expm1(-limit*nodes[d.at].announced()))
	}
	return subset.nodes(), factors
}

// rate sets the node's score, which changes with what the instance announces
// only: a list of thousands is drawn from without a look at each. It is
// exponentially distributed over all seeds, with the weight as its rate. A weight
// that grows by itself after a start does not count, since it would make
// connections change.
func (n *Node) rate(seed uint64) {
	u := (float64(mix(xxhash.Sum64String(n.ID())^seed)>>12) + 0.5) / (1 << 52) // neither 0 nor 1
	n.score.Store(math.Float32bits(float32(-math.Log(u) / n.announced())))
}

// announced is the weight that the instance announces.
func (n *Node) announced() float64 {
	if weight := n.Instance().Weight; weight > 0 {
		return float64(weight)
	}
	return discovery.DefaultWeight
}

// scored is the place of a node in a list, and its score.
type scored struct {
	score float64
	at    int
}

func (s scored) above(o scored) bool {
	return s.score > o.score || s.score == o.score && s.at > o.at
}

// smallest are as many of the smallest as it has room for: a heap with the
// greatest of them at its top.
type smallest []scored

func (h *smallest) offer(s scored) {
	if len(*h) == cap(*h) {
		if s.above((*h)[0]) {
			return
		}
		(*h)[0] = s
		h.down()
		return
	}
	*h = append(*h, s)
	for i := len(*h) - 1; i > 0 && (*h)[i].above((*h)[(i-1)/2]); i = (i - 1) / 2 {
		(*h)[i], (*h)[(i-1)/2] = (*h)[(i-1)/2], (*h)[i]
	}
}

// down lets the top sink to its place.
func (h smallest) down() {
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].above(h[child]) {
			child++
		}
		if child >= len(h) || !h[child].above(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014): it makes
// bits of which any may matter into bits that look as if none had.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
