package balancer

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/discovery"
)

// keyed is the picker of the policies that give every key a place, [RingHash]
// and [Maglev]. See tablework.go for how it comes to its table.
type keyed struct {
	policy  tabler
	factor  float64 // of bounded load; 0: off
	nodes   []*Node // that may be chosen, sorted by ID
	listed  []*Node // and those that are passed over
	seating atomic.Pointer[seating]

	wanted  []*discovery.Instance // that the table is to be made of
	begun   atomic.Bool           // to make it
	lineage *lineage
}

// tabler is a policy, without what does not matter to its tables, so that those
// of equal ones are the same.
type tabler interface {
	size(of []*discovery.Instance) int // of the table, in slots
	claim(of []*discovery.Instance) []uint32
}

// seating is who is at the places of a table at the moment.
type seating struct {
	table
	nodes []*Node // by place; nil: passed over, or gone
	bound *bound  // nil: none
	stale bool    // the table is not the one that is wanted
}

func (p *keyed) Pick(r Request) *Node {
	s := p.seating.Load()
	hash := hashOf(r)
	slot, place := s.slots.of(hash)
	if n := s.nodes[place]; n != nil && (s.bound == nil || !s.bound.full(place, r.Now)) {
		return n
	}
	return s.pickAfter(slot, place, hash, r.Now)
}

// hashOf is the hash of the key, and by chance where there is none.
func hashOf(r Request) uint64 {
	if r.Key != "" {
		return xxhash.Sum64String(r.Key)
	}
	return r.Rand
}

// home implements homes.
func (p *keyed) home(r Request) *Node {
	s := p.seating.Load()
	_, place := s.slots.of(hashOf(r))
	at, found := slices.BinarySearchFunc(p.listed, s.made[place].ID, func(n *Node, id string) int { return strings.Compare(n.ID(), id) })
	if !found {
		return nil
	}
	return p.listed[at]
}

// A key whose node cannot be chosen goes on to at most mostHops others before
// all are looked at in turn. Where half of them cannot be chosen either, one key
// in 2³² gets there. Slots that are skipped because they lead to the same node
// are cheap, and yet not free.
const (
	mostHops  = 32
	mostSlots = 64 * mostHops
)

// pickAfter picks for a key whose node cannot be chosen: by the slots that
// follow, then by going through all nodes, beginning with one that the key says.
// It returns nil only if there are none.
func (s *seating) pickAfter(slot, place int, hash uint64, now time.Duration) *Node {
	hops := min(mostHops, len(s.nodes))
	for range mostSlots {
		passed := place
		if slot, place = s.after(slot); place == passed {
			continue
		}
		if n := s.nodes[place]; n != nil && (s.bound == nil || !s.bound.full(place, now)) {
			return n
		}
		if hops--; hops == 0 {
			break
		}
	}
	if s.bound != nil {
		s.bound.recount() // with that, somebody is below it
	}
	const spread = 0x9e3779b97f4a7c15 // keys that lie together, over all places
	var any *Node
	for i, first := 0, scale(hash*spread, len(s.nodes)); i < len(s.nodes); i++ {
		place := (first + i) % len(s.nodes)
		n := s.nodes[place]
		if n == nil {
			continue
		}
		if any = n; s.bound == nil || !s.bound.full(place, now) {
			return n
		}
	}
	return any
}

// Refresh implements [Refresher].
func (p *keyed) Refresh(time.Duration) {
	s := p.seating.Load()
	if s.bound != nil {
		s.bound.recount()
	}
	if s.stale && p.lineage.waiting.Load() != p {
		p.build() // it was taken for replaced, and is not
	}
}

// Mode is Fallback until the table that is wanted is there.
func (p *keyed) Mode() Mode {
	if p.seating.Load().stale {
		return Fallback
	}
	return Normal
}
