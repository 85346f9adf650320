package balancer

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/fixture"
)

// slowPool is one of ten nodes, which ejects who is slow too often.
func slowPool(t *testing.T) *Pool {
	t.Helper()
	p, err := NewPool(PoolConfig{Balancing: Balancing{OutlierDetection: OutlierDetection{
		MaxEjectionPercent: 50, SlowCalls: SlowCallEjection{On: true, Duration: time.Second, Threshold: 10, RequestVolume: 10}}}})
	if err != nil {
		t.Fatal(err)
	}
	p.Update(fixture.Snapshot("orders", 10), Now())
	return p
}

// slowCalls lets a third of the calls to some nodes take two seconds.
func slowCalls(p *Pool, now time.Duration) {
	for i, n := range p.View().Nodes {
		for call := range 15 {
			took := time.Millisecond
			if i < 3 && call%3 == 0 {
				took = 2 * time.Second
			}
			n.Start(now-took).Done(now, Success)
		}
	}
}

// What calls took while the process was short of CPU is held against nobody, and
// what they take later is.
func TestSlownessOfOursEjectsNobody(t *testing.T) {
	p := slowPool(t)
	now := Now() + 11*time.Second
	slowCalls(p, now)
	p.starved()
	if v := p.Review(now); len(v.Outages) != 0 {
		t.Errorf("%d are ejected for what this process did", len(v.Outages))
	}
	now += 11 * time.Second
	slowCalls(p, now)
	if v := p.Review(now); len(v.Outages) != 3 {
		t.Errorf("%d are ejected, want the 3 that are slow", len(v.Outages))
	}
}
