//go:build race

package balancer_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
)

func TestDoneTwicePanicsInRaceBuilds(t *testing.T) {
	for name, begin := range map[string]func(*balancer.Node) balancer.Ticket{
		"call":   func(n *balancer.Node) balancer.Ticket { return n.Start(start) },
		"stream": func(n *balancer.Node) balancer.Ticket { return n.StartStream(start) },
	} {
		t.Run(name, func(t *testing.T) {
			ticket := begin(newNodes(t, 1)[0])
			ticket.Done(start, balancer.Success)
			defer func() {
				if recover() == nil {
					t.Error("the second Done went unnoticed")
				}
			}()
			ticket.Done(start, balancer.Success)
		})
	}
}
