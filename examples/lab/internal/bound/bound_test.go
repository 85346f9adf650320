package bound_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/bound"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// world has a bad instance among some of different speed.
func world(bad sim.Condition) sim.Plan {
	return sim.Plan{
		Length: 60 * time.Second, Clients: 5, Timeout: time.Second, Traffic: sim.Traffic{Load: 0.6},
		Fleet: []sim.Class{
			{Name: "fast", Count: 3, Condition: sim.Condition{Slow: 0.5}}, {Name: "slow", Count: 3, Condition: sim.Condition{Slow: 2}},
			{Name: "bad", Count: 1, Condition: bad, Bad: true},
		},
	}
}

func run(t *testing.T, p sim.Plan, s sim.Subject) *sim.Result {
	t.Helper()
	r, err := sim.Run(p, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhoKnowsMoreIsFaster(t *testing.T) {
	p := world(sim.Condition{})
	var last time.Duration
	for _, s := range []sim.Subject{
		{Oracle: bound.CentralQueue{}}, {Oracle: bound.ShortestQueue{}}, {Oracle: bound.P2COracle{}}, {Policy: balancer.P2CEWMA{}}, {Policy: balancer.Random{}},
	} {
		mean := run(t, p, s).Latency.Mean()
		t.Log(mean, s)
		if mean < last {
			t.Errorf("%+v takes %v, one that knows more %v", s, mean, last)
		}
		last = mean
	}
}

func TestWhoKnowsAllCallsNobodyThatFails(t *testing.T) {
	for name, bad := range map[string]sim.Condition{"fails": {Fails: 0.3}, "loses": {Loses: 1}, "hangs": {Hangs: true}, "down": {Down: true}} {
		for _, o := range []sim.Oracle{bound.CentralQueue{}, bound.ShortestQueue{}, bound.P2COracle{}} {
			t.Run(name+", "+o.String(), func(t *testing.T) {
				if r := run(t, world(bad), sim.Subject{Oracle: o}); r.ErrorShare() > 0.001 {
					t.Errorf("%.4f of the calls fail", r.ErrorShare())
				}
			})
		}
	}
}

func TestNobodyToCall(t *testing.T) {
	p := world(sim.Condition{})
	for i := range p.Fleet {
		p.Fleet[i].From = 30 * time.Second
	}
	p.Fleet[0].From, p.Fleet[0].Count = 0, 1
	p.Changes = []sim.Change{{At: 10 * time.Second, Class: "fast", To: sim.Condition{Down: true}}}
	for _, o := range []sim.Oracle{bound.CentralQueue{}, bound.ShortestQueue{}, bound.P2COracle{}} {
		if r := run(t, p, sim.Subject{Oracle: o}); r.Errors == 0 || r.Errors == r.Calls {
			t.Errorf("%s: %d of %d calls fail, want those of twenty seconds", o, r.Errors, r.Calls)
		}
	}
}
