package balancer

import (
	"math"
	"math/bits"
	"slices"

	"github.com/fairlead-go/fairlead/discovery"
)

// slots is a table that gives every hash to an instance: the range of hashes is
// cut into equal slots, and each says the place of an instance in a list.
type slots struct {
	narrow []uint16
	wide   []uint32 // where there are too many instances for the other
}

// nobody is in no slot of a table that is done.
const nobody = math.MaxUint32

func unclaimed(size int) []uint32 {
	return slices.Repeat([]uint32{nobody}, size)
}

func newSlots(places []uint32, instances int) slots {
	if instances > math.MaxUint16+1 {
		return slots{wide: places}
	}
	narrow := make([]uint16, len(places))
	for slot, place := range places {
		narrow[slot] = uint16(place)
	}
	return slots{narrow: narrow}
}

func (s *slots) size() int { return len(s.narrow) + len(s.wide) }

// of returns the slot of a hash, and the place it says.
func (s *slots) of(hash uint64) (slot, place int) {
	if s.wide != nil {
		slot = scale(hash, len(s.wide))
		return slot, int(s.wide[slot])
	}
	slot = scale(hash, len(s.narrow))
	return slot, int(s.narrow[slot])
}

// after returns the slot that follows, in a circle.
func (s *slots) after(slot int) (next, place int) {
	if next = slot + 1; next == s.size() {
		next = 0
	}
	if s.wide != nil {
		return next, int(s.wide[next])
	}
	return next, int(s.narrow[next])
}

// scale maps a hash to a number below n, keeping the order.
func scale(hash uint64, n int) int {
	hi, _ := bits.Mul64(hash, uint64(n))
	return int(hi)
}

// keyWeights returns the weights by which instances, sorted by ID, share the
// keys. Of those with the same ID only the first has one.
func keyWeights(of []*discovery.Instance) (weights []uint64, heaviest uint64) {
	weights = make([]uint64, len(of))
	for place, i := range of {
		if place == 0 || of[place-1].ID != i.ID {
			weights[place] = keyWeight(i)
			heaviest = max(heaviest, weights[place])
		}
	}
	return weights, heaviest
}

func keyWeight(i *discovery.Instance) uint64 {
	if i.Weight <= 0 {
		return discovery.DefaultWeight
	}
	return uint64(min(i.Weight, discovery.MaxWeight))
}
