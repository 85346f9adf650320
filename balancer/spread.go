package balancer

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// spread is a picker over pickers: it draws one of several parts by its share of
// the calls, and the part draws the node.
type spread struct {
	parts  []Picker
	tiers  []spreadTier
	keyed  bool
	bounds atomic.Pointer[[]uint64] // below which the draw is for a part, out of 2³²
}

// spreadTier is a tier's share of the calls, and how that is spread over the
// levels of the tier, which are as many parts.
type spreadTier struct {
	tier  int
	share float64
	*spill
}

// newSpreadTier returns the tier of some parts, and takes over from an earlier
// picker, nil if there is none, what was learned there.
func newSpreadTier(parts []part, share float64, earlier *spread) spreadTier {
	var before *spill
	if earlier != nil {
		for _, t := range earlier.tiers {
			if t.tier == parts[0].tier {
				before = t.spill
			}
		}
	}
	levels := make([]level, len(parts))
	for i := range parts {
		p := &parts[i]
		levels[i] = level{distance: p.distance, nodes: p.nodes, room: p.keeps, health: p.health}
	}
	return spreadTier{parts[0].tier, share, newSpill(levels, before)}
}

func newSpread(parts []Picker, tiers []spreadTier, keyed bool) *spread {
	s := &spread{parts: parts, tiers: tiers, keyed: keyed}
	s.divide()
	return s
}

// divide sets the bounds.
func (s *spread) divide() {
	bounds := make([]uint64, 0, len(s.parts))
	sum := 0.0
	for _, t := range s.tiers {
		for _, share := range t.shares() {
			sum += t.share * share
			bounds = append(bounds, uint64(math.Round(sum*(1<<32))))
		}
	}
	// Nothing is left over for parts that get nothing.
	end := bounds[len(bounds)-1]
	for i := len(bounds) - 1; i >= 0 && bounds[i] == end; i-- {
		bounds[i] = 1 << 32
	}
	s.bounds.Store(&bounds)
}

// shares returns the share of each part.
func (s *spread) shares() []float64 {
	bounds := *s.bounds.Load()
	shares := make([]float64, len(bounds))
	before := uint64(0)
	for i, b := range bounds {
		shares[i] = float64(b-before) / (1 << 32)
		before = b
	}
	return shares
}

// Pick draws the part from bits that are mixed anew, since the part looks at all
// of them as they are. With a key it is the key that draws, so that calls of the
// same key stay together.
func (s *spread) Pick(r Request) *Node { return s.part(r).Pick(r) }

func (s *spread) part(r Request) Picker {
	bits := r.Rand
	if s.keyed && r.Key != "" {
		bits = xxhash.Sum64String(r.Key)
	}
	draw := mix(bits) >> 32
	bounds := *s.bounds.Load()
	part := 0
	for draw >= bounds[part] {
		part++
	}
	return s.parts[part]
}

// home implements homes, where the policy gives keys a place.
func (s *spread) home(r Request) *Node {
	if h, ok := s.part(r).(homes); ok {
		return h.home(r)
	}
	return nil
}

// Refresh passes on, and shifts calls between places as they cost.
func (s *spread) Refresh(now time.Duration) {
	for _, p := range s.parts {
		if r, ok := p.(Refresher); ok {
			r.Refresh(now)
		}
	}
	for _, t := range s.tiers {
		t.look(now)
	}
	s.divide()
}

// Mode is the worst of the parts that get calls.
func (s *spread) Mode() (mode Mode) {
	for i, share := range s.shares() {
		if share > 0 {
			mode = max(mode, ModeOf(s.parts[i]))
		}
	}
	return mode
}
