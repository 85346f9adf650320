package transport

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// BenchmarkLogOutages is one more outage beside many, with the service's lock
// held.
func BenchmarkLogOutages(b *testing.B) {
	for _, size := range []int{50, 5000} {
		b.Run(fmt.Sprintf("outages=%d", size), func(b *testing.B) {
			view := &balancer.View{}
			for i := range size {
				n := balancer.NewNode(discovery.Instance{ID: fmt.Sprintf("i%05d", i)}, i)
				view.Nodes = append(view.Nodes, n)
				view.Outages = append(view.Outages, balancer.Outage{Node: n, Reason: balancer.ConnectionRefused})
			}
			before := &balancer.View{Nodes: view.Nodes, Outages: view.Outages[:size-1]}
			m := &Mesh{logger: slog.New(slog.DiscardHandler)}
			s := &service{name: "orders", mesh: m, restDue: true}
			for b.Loop() {
				m.logOutages(s, before, view)
			}
		})
	}
}
