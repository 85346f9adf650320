package balancer

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/discovery"
)

// Maglev gives every key a slot of a table, and every slot to a node: nodes take
// turns in claiming the next free slot of a permutation of their own (Eisenbud
// et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI
// 2016). The look-up is one load, and shares are as exact as a table can be: of
// equal weight, nodes have the same number of slots, or one more. For that a
// few more keys move than on a [RingHash] when a node comes or leaves: of 10
// nodes that lose one, about 1 % of the keys that were not its own.
//
// The key is [Request].Key; a call without one goes to a random slot, which
// [Request].Rand says. The hash is xxHash64, of the key with seed 0 and of the
// instance ID with seeds 0 and 1, and nodes claim in the order of their IDs:
// every process has the same table, whatever the order in which instances came.
// The hash is no secret, so keys from outside can be chosen to meet at one
// node; BalanceFactor limits that.
//
// Nodes have slots in proportion to the weight their instance announces: the
// heaviest claims in every round, one of half its weight in every other, as in
// Envoy. Slow start moves no keys.
//
// Every client calls all instances, whatever the [Subset], since a key has to be
// at the same place for all: gRPC channels connect to all of them, and all are
// probed where there are health checks.
//
// A node that is passed over for a while keeps its slots. Its keys go to the
// slots that follow until they meet a node that may be chosen, and come home
// afterwards.
//
// A large table is built by [Candidates].Later where there is one before it.
// Until it is there the mode is [Fallback]: keys go by the table before, on to
// the next slot where a node left, and new nodes get none.
//
// A policy that Validate refuses chooses like the zero value.
type Maglev struct {
	// TableSize is the number of slots, a prime up to 5000011 (Envoy's largest).
	// 0 means the first of 65537 (Envoy's default), 262147, 1048583 and 5000011
	// that has a hundred slots for each node, which is the paper's measure. All
	// keys move when the size changes, so it changes seldom: between 655 and 656
	// nodes, 2621 and 2622, 10485 and 10486. With fewer slots than nodes some
	// nodes have none. A slot costs 2 bytes, beyond 65536 nodes 4.
	TableSize int `json:"tableSize,omitzero"`
	// BalanceFactor bounds how many calls a node may have outstanding, as a
	// multiple of the mean by weight: a key whose node has as many goes to the
	// slots that follow. 0 means no bound, see [RingHash].BalanceFactor.
	BalanceFactor float64 `json:"balanceFactor,omitzero"`
}

const (
	slotsPerNode  = 100
	largestMaglev = 5000011
)

// String returns "maglev".
func (Maglev) String() string { return "maglev" }

// Keyed says that every key has a place.
func (Maglev) Keyed() bool { return true }

// Validate reports a bad field as a [*discovery.FieldError].
func (p Maglev) Validate() error {
	if p.TableSize != 0 && (p.TableSize > largestMaglev || !prime(p.TableSize)) {
		return &discovery.FieldError{Field: "Maglev.TableSize", Value: p.TableSize, Allowed: "0 (meaning enough), or a prime up to 5000011"}
	}
	return validateBalanceFactor("Maglev.BalanceFactor", p.BalanceFactor)
}

func prime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

// Picker implements [Policy].
func (p Maglev) Picker(c Candidates) Picker {
	if p.Validate() != nil {
		p = Maglev{}
	}
	return newKeyed(Maglev{TableSize: p.TableSize}, p.BalanceFactor, c)
}

func (p Maglev) size(of []*discovery.Instance) int {
	if p.TableSize != 0 {
		return p.TableSize
	}
	for _, size := range [...]int{65537, 262147, 1048583} {
		if size >= slotsPerNode*len(of) {
			return size
		}
	}
	return largestMaglev
}

// claim lets instances claim slots, by the paper's listing 1. As in Envoy, one
// claims in the rounds in which its weight has grown to another slot, and the
// heaviest in every round.
func (p Maglev) claim(of []*discovery.Instance) []uint32 {
	slots := make([]uint32, p.size(of))
	weights, heaviest := keyWeights(of)
	longest := uint64(1)
	claimants := make([]claimant, len(of))
	var first []int
	for place, i := range of {
		if w := weights[place]; w > 0 {
			claimants[place] = newClaimant(i.ID, len(slots))
			longest = max(longest, (heaviest+w-1)/w)
			first = append(first, place)
		}
	}
	// Whose turn it is, by round, as far ahead as the lightest waits.
	turns := make([][]int, longest+1)
	turns[1] = first
	taken := make([]uint64, (len(slots)+63)/64) // by bit, which caches hold
	for left, round := len(slots), uint64(1); ; round++ {
		turn := &turns[round%uint64(len(turns))]
		slices.Sort(*turn)
		for _, place := range *turn {
			c, w := &claimants[place], weights[place]
			for taken[c.slot/64]&(1<<(c.slot%64)) != 0 {
				c.step(uint(len(slots)))
			}
			taken[c.slot/64] |= 1 << (c.slot % 64)
			slots[c.slot] = uint32(place)
			if left--; left == 0 {
				return slots
			}
			c.claimed++
			again := max(round+1, (c.claimed*heaviest+w-1)/w) % uint64(len(turns))
			turns[again] = append(turns[again], place)
		}
		*turn = (*turn)[:0]
	}
}

// claimant is an instance on its way through all slots in an order of its own.
type claimant struct {
	slot, skip uint
	claimed    uint64 // slots so far
}

func newClaimant(id string, slots int) claimant {
	second := xxhash.NewWithSeed(1)
	second.WriteString(id)
	return claimant{slot: uint(scale(xxhash.Sum64String(id), slots)), skip: uint(1 + scale(second.Sum64(), slots-1))}
}

func (c *claimant) step(slots uint) {
	if c.slot += c.skip; c.slot >= slots {
		c.slot -= slots
	}
}
