package balancer

import (
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// refuse has the first node of a pool passed over.
func refuse(t *testing.T, p *Pool, now time.Duration) {
	t.Helper()
	p.View().Nodes[0].Start(now).Done(now, Unreachable)
	if p.Review(now); len(p.View().Outages) != 1 {
		t.Fatalf("outages: %+v", p.View().Outages)
	}
}

// An instance that moves to another address is another process: nothing is held
// against it, and it is young.
func TestAMovedInstanceBeginsAnew(t *testing.T) {
	p, err := NewPool(PoolConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := fixture.Snapshot("orders", 3)
	p.Update(s, time.Hour)
	refuse(t, p, time.Hour)
	s.Instances = slices.Clone(s.Instances)
	s.Instances[0] = new(*s.Instances[0])
	s.Instances[0].Addr = "10.9.9.9:80"
	view := p.Update(s, time.Hour+time.Second)
	if len(view.Outages) != 0 || len(view.Eligible(discovery.HTTP)) != 3 {
		t.Errorf("it is passed over for what its predecessor did: %+v", view.Outages)
	}
	if w := view.Nodes[0].weight(); w > 15 {
		t.Errorf("its weight is %v, want a tenth of 100", w)
	}
	if w := view.Nodes[1].weight(); w != 100 {
		t.Errorf("another's weight is %v", w)
	}
}

// Of who left nothing is kept once it is forgotten, whatever was held against
// it, and nothing has to be looked after any more.
func TestWhoLeftIsForgotten(t *testing.T) {
	for name, off := range map[string]bool{"on": false, "off": true} {
		t.Run(name, func(t *testing.T) {
			p, err := NewPool(PoolConfig{Protection: Protection{Off: true}})
			if err != nil {
				t.Fatal(err)
			}
			s := fixture.Snapshot("orders", 3)
			p.Update(s, time.Hour)
			p.Judge(p.View().Nodes[1], false, time.Hour)
			if off {
				if _, err := p.Balance(Balancing{OutlierDetection: OutlierDetection{Off: true}}, time.Hour); err != nil {
					t.Fatal(err)
				}
			} else {
				p.View().Nodes[0].Start(time.Hour).Done(time.Hour, Unreachable)
			}
			p.Review(time.Hour)
			s.Instances = s.Instances[2:]
			p.Update(s, time.Hour+time.Second)
			if !p.judge.busy() {
				t.Error("what may come back is forgotten at once")
			}
			for _, after := range []time.Duration{time.Second, remembered + 20*time.Second} {
				p.Review(time.Hour + time.Second + after)
			}
			if len(p.judge.known) != 0 || p.judge.busy() {
				t.Errorf("%d nodes are known, busy %t", len(p.judge.known), p.judge.busy())
			}
		})
	}
}
