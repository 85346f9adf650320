package balancer_test

import (
	"fmt"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

func TestOther(t *testing.T) {
	const n = 20
	choice := newPool(t, nil).Update(fixture.Snapshot("orders", n), start).Choice(discovery.HTTP)
	index := func(allowed ...int) func(*balancer.Node) bool {
		return func(n *balancer.Node) bool {
			for _, i := range allowed {
				if n.Index() == i {
					return true
				}
			}
			return false
		}
	}
	all := func(*balancer.Node) bool { return true }
	for _, tt := range []struct {
		name           string
		accepts, ready func(*balancer.Node) bool
		want           []int // any of them
	}{
		{"the only one that is accepted is found", index(13), all, []int{13}},
		{"one of two", index(3, 4), all, []int{3, 4}},
		{"none is accepted: one that is ready", index(), index(7), []int{7}},
		{"accepted is better than ready", index(5), index(5, 6, 7), []int{5}},
		{"none is ready", index(), index(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for bits := range uint64(200) {
				got := choice.Other(balancer.Request{Now: start, Rand: bits}, tt.accepts, tt.ready)
				switch {
				case got == nil && tt.want != nil:
					t.Fatalf("with bits %d there is none", bits)
				case got != nil && !index(tt.want...)(got):
					t.Fatalf("with bits %d it is %d, want one of %v", bits, got.Index(), tt.want)
				}
			}
		})
	}
	t.Run("the same bits choose alike, and others elsewhere", func(t *testing.T) {
		got := map[int]bool{}
		for bits := range uint64(200) {
			r := balancer.Request{Now: start, Rand: bits}
			one := choice.Other(r, all, all)
			if one != choice.Other(r, all, all) {
				t.Fatalf("bits %d chose two nodes", bits)
			}
			got[one.Index()] = true
		}
		if len(got) < n-2 {
			t.Errorf("200 draws found only %d of %d nodes", len(got), n)
		}
	})
	t.Run("nobody to choose from", func(t *testing.T) {
		none := newPool(t, nil).Update(discovery.Snapshot{}, start).Over(nil, nil)
		if got := none.Other(balancer.Request{}, all, all); got != nil {
			t.Errorf("it is %s", got.ID())
		}
	})
	t.Run("it allocates nothing", func(t *testing.T) {
		tried := choice.Nodes[3]
		if got := testing.AllocsPerRun(100, func() {
			choice.Other(balancer.Request{Now: start, Rand: 1}, func(n *balancer.Node) bool { return n == tried }, all)
		}); got != 0 {
			t.Errorf("%v allocations", got)
		}
	})
}

func ExampleChoice_Other() {
	pool, err := balancer.NewPool(balancer.PoolConfig{})
	if err != nil {
		panic(err)
	}
	choice := pool.Update(fixture.Snapshot("orders", 3), 0).Choice(discovery.HTTP)
	tried := choice.Picker.Pick(balancer.Request{Rand: 1})
	other := choice.Other(balancer.Request{Rand: 2, Retry: true},
		func(n *balancer.Node) bool { return n != tried },
		func(*balancer.Node) bool { return true })
	fmt.Println(other != tried)
	// Output: true
}
