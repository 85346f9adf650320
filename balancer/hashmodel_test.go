package balancer_test

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// naiveRing finds the owner of a key by looking at every point of everybody.
func naiveRing(instances []discovery.Instance, slots int, key string) (owner string) {
	// A key stands where its slot begins: at the first hash that is in it.
	slot, _ := bits.Mul64(xxhash.Sum64String(key), uint64(slots))
	position, rest := bits.Div64(slot, 0, uint64(slots))
	if rest > 0 {
		position++
	}
	scale := 1
	for heaviest := weightOfHeaviest(instances); heaviest*scale < 100; {
		scale *= 2
	}
	var nearest uint64
	for _, i := range instances {
		for n := range (i.Weight*scale*160 + 99) / 100 {
			// Unsigned, what lies behind the position is far ahead.
			ahead := xxhash.Sum64String(fmt.Sprintf("%s_%d", i.ID, n)) - position
			if owner == "" || ahead < nearest || ahead == nearest && i.ID < owner {
				owner, nearest = i.ID, ahead
			}
		}
	}
	return owner
}

func weightOfHeaviest(instances []discovery.Instance) (heaviest int) {
	for _, i := range instances {
		heaviest = max(heaviest, i.Weight)
	}
	return heaviest
}

// naiveMaglev is listing 1 of the paper, permutations written out, with Envoy's
// weights.
func naiveMaglev(instances []discovery.Instance, size int) []string {
	instances = slices.Clone(instances)
	slices.SortFunc(instances, func(a, b discovery.Instance) int { return strings.Compare(a.ID, b.ID) })
	permutation := make([][]int, len(instances))
	for i, instance := range instances {
		seeded := xxhash.NewWithSeed(1)
		seeded.WriteString(instance.ID)
		offset, _ := bits.Mul64(xxhash.Sum64String(instance.ID), uint64(size))
		skip, _ := bits.Mul64(seeded.Sum64(), uint64(size-1))
		for j := range size {
			permutation[i] = append(permutation[i], (int(offset)+j*(int(skip)+1))%size)
		}
	}
	next, target := make([]int, len(instances)), make([]int, len(instances))
	table, heaviest := make([]string, size), weightOfHeaviest(instances)
	for filled, round := 0, 1; ; round++ {
		for i, instance := range instances {
			if round*instance.Weight < target[i] {
				continue
			}
			target[i] += heaviest
			for table[permutation[i][next[i]]] != "" {
				next[i]++
			}
			table[permutation[i][next[i]]] = instance.ID
			if filled++; filled == size {
				return table
			}
		}
	}
}

// hashed turns bytes into instances of different weights: two say an ID, one the
// weight.
func hashed(raw []byte) (instances []discovery.Instance) {
	for ; len(raw) >= 3 && len(instances) < 40; raw = raw[3:] {
		i := discovery.Instance{ID: fmt.Sprintf("i-%x", raw[:2]), Weight: 1 + int(raw[2])}
		if i.Weight > 250 {
			i.Weight = discovery.MaxWeight
		}
		if !slices.ContainsFunc(instances, func(j discovery.Instance) bool { return i.ID == j.ID }) {
			instances = append(instances, i)
		}
	}
	return instances
}

// pickerOf makes a picker as the instances come, one by one.
func pickerOf(policy balancer.Policy, instances []discovery.Instance) (picker balancer.Picker) {
	var nodes []*balancer.Node
	for _, i := range instances {
		nodes = append(nodes, balancer.NewNode(i, 0))
		slices.SortFunc(nodes, func(a, b *balancer.Node) int { return strings.Compare(a.ID(), b.ID()) })
		picker = policy.Picker(balancer.Candidates{Nodes: nodes, Before: picker})
	}
	return picker
}

func hashSeeds(f *testing.F) {
	f.Add([]byte("0a10b10c1"), uint16(0), "key")
	f.Add([]byte("zz\xff00\x00aa\x63bb\xffcc\x01"), uint16(3), "")
	f.Add([]byte("00\x0011\x0022\x0033\x00"), uint16(40), "a")
	f.Add([]byte(strings.Repeat("abcdefghi", 9)), uint16(5000), "b")
}

func FuzzRing(f *testing.F) {
	hashSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte, slots uint16, key string) {
		instances := hashed(raw)
		if len(instances) < 2 {
			return
		}
		size := 1 + int(slots)
		picker := pickerOf(balancer.RingHash{MaxSize: size}, instances)
		for n := range 20 {
			k := key + fmt.Sprint(n)
			if got, want := picker.Pick(balancer.Request{Key: k}).ID(), naiveRing(instances, size, k); got != want {
				t.Fatalf("of %d instances on a ring of %d slots, %s has %q, want %s", len(instances), size, got, k, want)
			}
		}
	})
}

func FuzzMaglev(f *testing.F) {
	hashSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte, size uint16, key string) {
		instances := hashed(raw)
		if len(instances) < 2 {
			return
		}
		primes := []int{2, 3, 7, 31, 101, 1009}
		prime := primes[int(size)%len(primes)]
		picker := pickerOf(balancer.Maglev{TableSize: prime}, instances)
		table := naiveMaglev(instances, prime)
		for n := range 20 {
			k := key + fmt.Sprint(n)
			slot, _ := bits.Mul64(xxhash.Sum64String(k), uint64(prime))
			if got, want := picker.Pick(balancer.Request{Key: k}).ID(), table[slot]; got != want {
				t.Fatalf("of %d instances in a table of %d slots, %s has %q, want %s", len(instances), prime, got, k, want)
			}
		}
	})
}
