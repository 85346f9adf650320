package balancer_test

import (
	"encoding/hex"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/cputime"
)

var hashPolicies = []struct {
	name   string
	policy balancer.Policy
	slots  map[int]int // of the table, by nodes
}{
	{"ring-hash", balancer.RingHash{}, map[int]int{10: 1 << 18, 1_000: 1 << 20, 10_000: 1 << 22}},
	{"maglev", balancer.Maglev{}, map[int]int{10: 65537, 1_000: 262147, 10_000: 1048583}},
}

// randomKeys are more than any cache holds the places of.
func randomKeys(n int) []string {
	raw := make([]byte, 12*n)
	rand.NewChaCha8([32]byte{9}).Read(raw)
	all := hex.EncodeToString(raw)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = all[24*i : 24*(i+1)]
	}
	return keys
}

// BenchmarkPickHash is the choice alone, by random keys of 24 bytes. What
// follows a choice is in BenchmarkPick.
func BenchmarkPickHash(b *testing.B) {
	keys := randomKeys(1 << 20)
	for _, p := range hashPolicies {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("policy=%s/nodes=%d", p.name, size), func(b *testing.B) {
				picker := p.policy.Picker(balancer.Among(newNodes(b, size)...))
				cputime.Start(b)
				b.RunParallel(func(pb *testing.PB) {
					var last *balancer.Node
					for i := rand.IntN(len(keys)); pb.Next(); i++ {
						last = picker.Pick(balancer.Request{Key: keys[i&(len(keys)-1)]})
					}
					if last != nil { // a goroutine may have had no turn
						_ = last.Index()
					}
				})
			})
		}
	}
}

// BenchmarkPickHashLowerBound is the least that a table of keys can cost: the
// hash of the key, and one load from a table of that size.
func BenchmarkPickHashLowerBound(b *testing.B) {
	keys := randomKeys(1 << 20)
	for _, p := range hashPolicies {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("policy=%s/nodes=%d", p.name, size), func(b *testing.B) {
				table := make([]uint16, p.slots[size])
				for i := range table {
					table[i] = uint16(i)
				}
				cputime.Start(b)
				b.RunParallel(func(pb *testing.PB) {
					sum := 0
					for i := rand.IntN(len(keys)); pb.Next(); i++ {
						slot, _ := bits.Mul64(xxhash.Sum64String(keys[i&(len(keys)-1)]), uint64(len(table)))
						sum += int(table[slot])
					}
					if sum < 0 {
						b.Log(sum) // it is used
					}
				})
			})
		}
	}
}

// BenchmarkTableBuild is what a change among the nodes costs, off the calls.
func BenchmarkTableBuild(b *testing.B) {
	for _, p := range hashPolicies {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("policy=%s/nodes=%d", p.name, size), func(b *testing.B) {
				c := balancer.Among(newNodes(b, size)...)
				b.ReportAllocs()
				for b.Loop() {
					p.policy.Picker(c)
				}
			})
		}
	}
}
