package transport_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
)

// laborious counts the pickers over two nodes, which take it a while.
type laborious struct{ made *atomic.Int64 }

func (laborious) String() string { return "laborious" }

func (l laborious) Picker(c balancer.Candidates) balancer.Picker {
	if len(c.Nodes) == 2 {
		l.made.Add(1)
		time.Sleep(20 * time.Millisecond)
	}
	return balancer.RoundRobin{}.Picker(c)
}

// Calls that meet a route together wait for one picker, and do not each make one.
func TestASelectionIsMadeOnce(t *testing.T) {
	made := new(atomic.Int64)
	g := versions("v1-a", "v2-a", "v2-b")
	m := obeying(t, g, ordersPolicy(to("v2")), transport.WithPolicy(laborious{made}))
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("%d pickers were made for one route", n)
	}
}
