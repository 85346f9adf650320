package balancer_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// capacity is what ten servers can do in a second, of which one is five times
// slower than the others.
const capacity = 9.2 * workers * float64(time.Second) / float64(work)

// One server takes five times longer than the nine others. Who counts calls
// alone fills it up until as many wait there as elsewhere.
func TestPrequalLeavesASlowServer(t *testing.T) {
	if underRace {
		t.Skip("one goroutine plays all of it")
	}
	for _, tt := range []struct {
		name    string
		clients int
		load    float64
	}{
		{"one client at 70 %", 1, 0.7},
		{"twenty clients at 70 %", 20, 0.7},
		{"fifty clients at 90 %", 50, 0.9},
		{"five clients at 20 %", 5, 0.2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play := func(p balancer.Policy) (share float64, tail time.Duration) {
				f := newFleet(10)
				f.servers["i00001"].slow = 5
				f.join(t, p, tt.clients, tt.load*capacity)
				f.run(3 * time.Second)
				tail = percentile(f.run(5*time.Second), 99)
				return f.share("i00001"), tail
			}
			share, tail := play(balancer.Prequal{})
			_, counting := play(balancer.LeastRequest{})
			t.Logf("the slow one has %.2f of a fair share; the 99th percentile is %v, and %v by least request", share, tail, counting)
			if share > 0.2 {
				t.Errorf("the slow one has %.2f of a fair share", share)
			}
			if tail > counting*3/4 {
				t.Errorf("the 99th percentile is %v, and %v by least request", tail, counting)
			}
		})
	}
}

// A server that becomes fast again gets calls again, though nobody hears of it.
func TestPrequalComesBackToAServer(t *testing.T) {
	if underRace {
		t.Skip("one goroutine plays all of it")
	}
	f := newFleet(10)
	f.servers["i00001"].slow = 20
	f.join(t, balancer.Prequal{}, 5, 0.5*capacity)
	f.run(5 * time.Second)
	f.servers["i00001"].slow = 1
	f.run(30 * time.Second)
	f.run(5 * time.Second)
	if got := f.share("i00001"); got < 0.7 {
		t.Errorf("half a minute later it has %.2f of a fair share", got)
	}
}

// The naive rule: the least busy of all, by what it said itself. All clients run
// to it.
type herding []*balancer.Node

func (h herding) Pick(r balancer.Request) *balancer.Node {
	return slices.MinFunc(h, func(a, b *balancer.Node) int {
		return cmp.Compare(inFlight(a, r.Now), inFlight(b, r.Now))
	})
}

func inFlight(n *balancer.Node, now time.Duration) int {
	if said := n.Stats(now).Reported; said != nil {
		return said.InFlight
	}
	return 0
}

// Twenty clients choose among ten equal servers, of which each hears only what
// answers to its own calls say, and after a while.
func TestPrequalDoesNotHerd(t *testing.T) {
	if underRace {
		t.Skip("one goroutine plays all of it")
	}
	for _, tt := range []struct {
		name string
		wire time.Duration
		most float64 // times what chance brings together
	}{
		{"in one place", 200 * time.Microsecond, 1},
		{"when the wire takes longer than the server", 20 * time.Millisecond, 1.6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play := func(p balancer.Policy) int {
				f := newFleet(10)
				f.wire = tt.wire
				f.join(t, p, 20, 0.85*capacity)
				f.run(8 * time.Second)
				return f.max()
			}
			naive := play(balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker { return herding(c.Nodes) }))
			chance, most := play(balancer.Random{}), play(balancer.Prequal{})
			t.Logf("at most %d calls at one server; %d by chance, %d by the naive rule", most, chance, naive)
			if float64(most) > tt.most*float64(chance) || most > naive {
				t.Errorf("%d calls ran to one server; by chance %d do, by the naive rule %d", most, chance, naive)
			}
		})
	}
}

// A server that fails at once has nothing to do and is fast: the sinkhole.
func TestPrequalIsNotDrawnToFailures(t *testing.T) {
	f := newFleet(10)
	f.servers["i00001"].fails = true
	f.join(t, balancer.Prequal{}, 5, 0.7*capacity)
	f.run(time.Second)
	if got := f.share("i00001"); got > 0.5 {
		t.Errorf("in the first second it has %.2f of a fair share", got)
	}
	f.run(5 * time.Second)
	if got := f.share("i00001"); got > 0.15 {
		t.Errorf("it has %.2f of a fair share", got)
	}
}
