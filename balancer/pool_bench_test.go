package balancer_test

import (
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// BenchmarkUpdateOneOf10000 is a snapshot of ten thousand in which one
// instance changed: what a change of one costs its followers.
func BenchmarkUpdateOneOf10000(b *testing.B) {
	const most = 10_000
	whole := fixture.Snapshot("orders", most).Instances
	with := func(change func(*discovery.Instance)) []*discovery.Instance {
		instances, changed := slices.Clone(whole), *whole[most/2]
		change(&changed)
		instances[most/2] = &changed
		return instances
	}
	for name, other := range map[string][]*discovery.Instance{
		"weight": with(func(i *discovery.Instance) { i.Weight = 7 }),
		"drains": with(func(i *discovery.Instance) { i.Draining = true }),
		"leaves": slices.Delete(slices.Clone(whole), most/2, most/2+1),
		"moves":  with(func(i *discovery.Instance) { i.Addr = "10.255.0.1:80" }),
	} {
		b.Run(name, func(b *testing.B) {
			pool := protected(b, balancer.Protection{})
			s := discovery.Snapshot{Service: "orders", State: discovery.Live, Instances: whole}
			pool.Update(s, balancer.Now())
			lists := [][]*discovery.Instance{other, whole}
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
