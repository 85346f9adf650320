package balancer

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/discovery"
)

// RingHash gives every key a place on a ring: points of all nodes lie on it in
// the order of their hashes, and a key belongs to the node of the first point
// from its own hash on (Karger et al., 1997; ketama). A node that leaves gives
// its keys to the others, one that comes takes its share from them, and no
// other key moves.
//
// The key is [Request].Key; a call without one goes to a random place, which
// [Request].Rand says. The hash is xxHash64 with seed 0, of the key, and for the
// points of a node of its instance ID and a number, "<ID>_0" and so on, as in
// Envoy. Of two points that meet the smaller ID has the place. So every process
// has the same ring, whatever the order in which instances came. The hash is no
// secret: keys from outside can be chosen to meet at one node, which
// BalanceFactor limits.
//
// A node of [discovery.DefaultWeight] has 160 points, as in libketama and Dubbo,
// others in proportion to the weight that their instance announces; if all weigh
// less, their weights are doubled until one does not. The share of a node is then
// within 8 % of a fair one (one standard deviation, 1 ÷ √160); those of [Maglev]
// are exact. Slow start moves no keys.
//
// Every client calls all instances, whatever the [Subset], since a key has to be
// at the same place for all: gRPC channels connect to all of them, and all are
// probed where there are health checks.
//
// So that a look-up is a single load, the ring is cut into equal slots, and what
// begins within one belongs to whoever its beginning belongs to.
//
// A node that is passed over for a while keeps its points. Its keys go on along
// the ring until they meet one that may be chosen, and come home afterwards; it
// is where they stay if the node leaves.
//
// A large ring is made by [Candidates].Later where there is one before it. Until
// it is there the mode is [Fallback]: keys go by the ring before, on along it
// past nodes that left, and new nodes get none.
//
// A policy that Validate refuses chooses like the zero value.
type RingHash struct {
	// MinSize and MaxSize bound how many slots the ring is cut into; 0 means 1024
	// and 8388608, what Envoy has for the entries of its rings. Between them there
	// are 262144, with more than 512 nodes 1048576, and with more than 2048 nodes
	// 4194304. Where that changes, every ninth key moves beside those that have to;
	// a service that often crosses 512 nodes does well to set MinSize to 1048576. With fewer slots
	// than nodes some nodes have none. A slot costs 2 bytes, beyond 65536 nodes 4.
	MinSize int `json:"minSize,omitzero"`
	MaxSize int `json:"maxSize,omitzero"`
	// BalanceFactor bounds how many calls a node may have outstanding, as a
	// multiple of the mean by weight: a key whose node has as many goes on along
	// the ring (consistent hashing with bounded loads: Mirrokni, Thorup,
	// Zadimoghaddam, 2016; Envoy's hash_balance_factor ÷ 100). 0 means no bound;
	// 1.25 is what we recommend. The mean is a moment old, under load at most 50 µs
	// for 64 nodes and 8 ms for 10 000, and calls that are placed at the same time
	// do not see each other.
	BalanceFactor float64 `json:"balanceFactor,omitzero"`
}

const (
	pointsPerNode = 160
	smallestRing  = 1024
	largestRing   = 8388608
)

// String returns "ring-hash".
func (RingHash) String() string { return "ring-hash" }

// Keyed says that every key has a place.
func (RingHash) Keyed() bool { return true }

// Validate reports a bad field as a [*discovery.FieldError].
func (p RingHash) Validate() error {
	if p.MaxSize < 0 || p.MaxSize > largestRing {
		return &discovery.FieldError{Field: "RingHash.MaxSize", Value: p.MaxSize, Allowed: "0 (meaning 8388608) to 8388608"}
	}
	if most := cmp.Or(p.MaxSize, largestRing); p.MinSize < 0 || p.MinSize > most {
		return &discovery.FieldError{Field: "RingHash.MinSize", Value: p.MinSize, Allowed: "0 (meaning 1024, or MaxSize) to MaxSize, " + strconv.Itoa(most)}
	}
	return validateBalanceFactor("RingHash.BalanceFactor", p.BalanceFactor)
}

// Picker implements [Policy].
func (p RingHash) Picker(c Candidates) Picker {
	if p.Validate() != nil {
		p = RingHash{}
	}
	most := cmp.Or(p.MaxSize, largestRing)
	return newKeyed(RingHash{MinSize: cmp.Or(p.MinSize, min(smallestRing, most)), MaxSize: most}, p.BalanceFactor, c)
}

func (p RingHash) size(of []*discovery.Instance) int {
	size := 1 << 18
	for most := 512; len(of) > most && size < 1<<22; most *= 4 {
		size *= 4
	}
	return min(max(size, p.MinSize), p.MaxSize)
}

// claim gives each slot to the first point from its beginning on.
func (p RingHash) claim(of []*discovery.Instance) []uint32 {
	slots := unclaimed(p.size(of))
	rests := make([]uint64, len(slots)) // how far into its slot the first point lies
	for _, point := range sortedPoints(of) {
		slot, rest := bits.Mul64(point.hash, uint64(len(slots)))
		if slots[slot] == nobody || rest < rests[slot] {
			slots[slot], rests[slot] = point.place, rest
		}
	}
	// What is behind the last point belongs to the first.
	next := slots[slices.IndexFunc(slots, func(place uint32) bool { return place != nobody })]
	for slot, place := range slices.Backward(slots) {
		if place == nobody {
			slots[slot] = next
		}
		next = slots[slot]
	}
	return slots
}

type ringPoint struct {
	hash  uint64
	place uint32 // of its instance
}

// sortedPoints are sorted by the uppermost bits of their hashes, then by place.
// Sorted that far, a million are put on a ring in a quarter of the time.
func sortedPoints(of []*discovery.Instance) []ringPoint {
	const shift = 64 - 10
	var next [1<<(64-shift) + 1]int // where each group of points begins, then where it goes on
	for p := range allPoints(of) {
		next[p.hash>>shift+1]++
	}
	for i := range len(next) - 1 {
		next[i+1] += next[i]
	}
	points := make([]ringPoint, next[len(next)-1])
	for p := range allPoints(of) {
		at := &next[p.hash>>shift]
		points[*at] = p
		*at++
	}
	return points
}

// allPoints yields the points of each instance in turn.
func allPoints(of []*discovery.Instance) iter.Seq[ringPoint] {
	weights, heaviest := keyWeights(of)
	scale := uint64(pointsPerNode)
	for ; heaviest < discovery.DefaultWeight; heaviest *= 2 {
		scale *= 2
	}
	return func(yield func(ringPoint) bool) {
		var label []byte
		for place, i := range of {
			label = append(append(label[:0], i.ID...), '_')
			for n := range (weights[place]*scale + discovery.DefaultWeight - 1) / discovery.DefaultWeight {
				label = strconv.AppendUint(label[:len(i.ID)+1], n, 10)
				if !yield(ringPoint{xxhash.Sum64(label), uint32(place)}) {
					return
				}
			}
		}
	}
}
