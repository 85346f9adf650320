package balancer_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// BenchmarkViewUpdate is a snapshot in which one instance of many changed: what
// a change of one costs its followers, the new picker included.
func BenchmarkViewUpdate(b *testing.B) {
	for _, size := range sizes {
		s := fixture.Snapshot("orders", size)
		whole, middle := s.Instances, size/2
		with := func(change func(*discovery.Instance)) []*discovery.Instance {
			instances, changed := slices.Clone(whole), *whole[middle]
			change(&changed)
			instances[middle] = &changed
			return instances
		}
		changes := []struct {
			name  string
			other []*discovery.Instance
		}{
			{"weight", with(func(i *discovery.Instance) { i.Weight = 107 })},
			{"leaves-and-joins", slices.Delete(slices.Clone(whole), middle, middle+1)},
			{"drains", with(func(i *discovery.Instance) { i.Draining = true })},
			{"moves", with(func(i *discovery.Instance) { i.Addr = "10.255.0.1:80" })},
		}
		for _, p := range policies {
			for _, c := range changes {
				b.Run(fmt.Sprintf("nodes=%d/policy=%s/change=%s", size, p.name, c.name), func(b *testing.B) {
					pool, err := balancer.NewPool(balancer.PoolConfig{Balancing: balancer.Balancing{Policy: p.policy}})
					if err != nil {
						b.Fatal(err)
					}
					pool.Update(s, balancer.Now())
					lists := [][]*discovery.Instance{c.other, whole}
					update, now := s, balancer.Now()
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						update.Instances = lists[i%2]
						now += time.Second
						pool.Update(update, now)
					}
				})
			}
		}
	}
}
