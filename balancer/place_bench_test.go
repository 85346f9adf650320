package balancer_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// placements are ways to divide a list, from none to all at once.
var placements = []struct {
	name      string
	balancing balancer.Balancing
}{
	{"all", balancer.Balancing{Subset: balancer.Subset{Off: true}}},
	{"subset", balancer.Balancing{}},
	{"zones", balancer.Balancing{Subset: balancer.Subset{Off: true}, Locality: here}},
	{"zones+subset", balancer.Balancing{Locality: here}},
	{"tiers+zones+subset", balancer.Balancing{Locality: here, Tiers: inTiers}},
}

// spreadOut is a list of instances of three zones and three pools, of different
// weights.
func spreadOut(size int) discovery.Snapshot {
	s := fixture.Snapshot("orders", size)
	for n, i := range s.Instances {
		i.Zone = []string{"eu-a", "eu-b", "us-a"}[n%3]
		i.Region, i.Weight = i.Zone[:2], 50+n%100
		i.Meta = map[string]string{"pool": []string{"a", "b", "c"}[n/3%3]}
	}
	return s
}

// BenchmarkPickPlaced is BenchmarkPick of the default policy where tiers, zones
// and subsets divide the instances.
func BenchmarkPickPlaced(b *testing.B) {
	for _, p := range placements {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("placement=%s/nodes=%d", p.name, size), func(b *testing.B) {
				pool := balancing(b, p.balancing)
				pool.Update(spreadOut(size), balancer.Now())
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

// BenchmarkViewUpdatePlaced is a new view of ten thousand instances of which one
// changed its weight.
func BenchmarkViewUpdatePlaced(b *testing.B) {
	for _, p := range placements {
		b.Run("placement="+p.name, func(b *testing.B) {
			s := spreadOut(10_000)
			pool := balancing(b, p.balancing)
			pool.Update(s, balancer.Now())
			other := slices.Clone(s.Instances)
			other[5000] = new(*other[5000])
			other[5000].Weight++
			lists := [][]*discovery.Instance{other, s.Instances}
			now := balancer.Now()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Instances = lists[i%2]
				now += time.Second
				pool.Update(s, now)
			}
		})
	}
}
