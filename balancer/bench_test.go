package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

var policies = []struct {
	name   string
	policy balancer.Policy
}{
	{"round-robin", balancer.RoundRobin{}},
	{"smooth-weighted", balancer.SmoothWeighted{}},
	{"weighted-round-robin", balancer.WeightedRoundRobin{}},
	{"random", balancer.Random{}},
	{"least-request", balancer.LeastRequest{}},
	{"least-request-full-scan", balancer.LeastRequest{FullScan: true}},
	{"p2c-ewma", balancer.P2CEWMA{}},
	{"prequal", balancer.Prequal{MaxAge: time.Hour}}, // so that reports stay fresh
	{"ring-hash", balancer.RingHash{}},
	{"maglev", balancer.Maglev{}},
}

var sizes = []int{10, 1_000, 10_000}

// BenchmarkPick is one choice with its completion, as a call does it: the view
// is loaded, the clock read twice, the outcome learned.
func BenchmarkPick(b *testing.B) {
	for _, p := range policies {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("policy=%s/nodes=%d", p.name, size), func(b *testing.B) {
				pool := warmPool(b, p.policy, size)
				cputime.Start(b)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						pick(pool)
					}
				})
			})
		}
	}
}

func pick(pool *balancer.Pool) {
	now := balancer.Now()
	node := pool.View().Picker(discovery.HTTP).Pick(balancer.Request{Now: now, Rand: rand.Uint64()})
	node.Start(now).Done(balancer.Now(), balancer.Success)
}

func warmPool(tb testing.TB, policy balancer.Policy, size int) *balancer.Pool {
	tb.Helper()
	pool, err := balancer.NewPool(balancer.PoolConfig{Balancing: balancer.Balancing{Policy: policy, Subset: balancer.Subset{Off: true}}})
	if err != nil {
		tb.Fatal(err)
	}
	pool.Update(fixture.Snapshot("orders", size), 0)
	// Every node has a history of its own, as in a running process.
	for _, node := range pool.View().Nodes {
		now := balancer.Now()
		node.Start(now-time.Duration(1+rand.IntN(1000))*time.Microsecond).Done(now, balancer.Success)
		if node.Listens() {
			node.Report(now, balancer.Load{InFlight: 1 + rand.IntN(20), Latency: time.Duration(1+rand.IntN(1000)) * time.Microsecond})
		}
	}
	pool.Review(balancer.Now())
	return pool
}

// BenchmarkPickLowerBound is the least that a choice by measured load can do:
// load one pointer, draw two distinct nodes at random, load two words of each,
// count the call in and out, move one average, and read the clock twice.
func BenchmarkPickLowerBound(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("nodes=%d", size), func(b *testing.B) {
			var table atomic.Pointer[[]*boundNode]
			nodes := make([]*boundNode, size)
			for i := range nodes {
				nodes[i] = new(boundNode)
				nodes[i].cost.Store(rand.Uint64N(1000))
			}
			table.Store(&nodes)
			cputime.Start(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					boundPick(&table)
				}
			})
		})
	}
}

type boundNode struct {
	outstanding atomic.Uint64
	cost        atomic.Uint64
	_           [112]byte
}

func boundPick(table *atomic.Pointer[[]*boundNode]) {
	start := balancer.Now()
	nodes := *table.Load()
	bits := rand.Uint64()
	i := int((bits >> 32) * uint64(len(nodes)) >> 32)
	j := int(uint64(uint32(bits)) * uint64(len(nodes)-1) >> 32)
	if j >= i {
		j++
	}
	node, other := nodes[i], nodes[j]
	if other.cost.Load()*(other.outstanding.Load()+1) < node.cost.Load()*(node.outstanding.Load()+1) {
		node = other
	}
	node.outstanding.Add(1)
	elapsed := balancer.Now() - start
	old := node.cost.Load()
	node.cost.CompareAndSwap(old, old+(uint64(elapsed)-old)/8)
	node.outstanding.Add(^uint64(0))
}
