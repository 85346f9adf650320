package balancer_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

func TestANodeShowsWhatItsServerSaid(t *testing.T) {
	const ms = time.Millisecond
	queue := balancer.Load{InFlight: 3, Latency: 20 * ms}
	weight := balancer.Load{Utilization: 0.5, QPS: 100, EPS: 2}
	both := balancer.Load{Utilization: 0.5, QPS: 100, EPS: 2, InFlight: 3, Latency: 20 * ms}
	tests := []struct {
		name    string
		reports []balancer.Load // a second apart, the last at start
		want    balancer.Load
		age     time.Duration // at start
	}{
		{"all of it", []balancer.Load{both}, both, 0},
		{"half of it", []balancer.Load{queue}, queue, 0},
		{"the other half", []balancer.Load{weight}, weight, 0},
		{"halves are kept apart", []balancer.Load{queue, weight}, both, 0},
		{"the last one", []balancer.Load{{InFlight: 9, Latency: ms}, queue}, queue, 0},
		{"one that says nothing changes nothing", []balancer.Load{both, {}}, both, time.Second},
		{"a rate without utilization makes no weight", []balancer.Load{both, {QPS: 7}}, both, time.Second},
		{"calls without a latency say nothing", []balancer.Load{both, {InFlight: 7}}, both, time.Second},
		{"what is too large is the largest there is", []balancer.Load{{Utilization: 1e300, QPS: 1e300, InFlight: math.MaxInt, Latency: math.MaxInt64}},
			balancer.Load{Utilization: math.MaxFloat32, QPS: math.MaxFloat32, InFlight: math.MaxInt32, Latency: 1 << 62}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNodes(t, 1)[0]
			for i, l := range tt.reports {
				n.Report(start-time.Duration(len(tt.reports)-1-i)*time.Second, l)
			}
			got := n.Stats(start).Reported
			if got == nil {
				t.Fatal("nothing")
			}
			if got.Latency < tt.want.Latency-time.Microsecond || got.Latency > tt.want.Latency+time.Microsecond {
				t.Errorf("latency %v, want %v", got.Latency, tt.want.Latency)
			}
			got.Latency = tt.want.Latency // a float32 is not exact
			got.EPS, got.Utilization = math.Round(got.EPS*1e3)/1e3, math.Round(got.Utilization*1e3)/1e3
			tt.want.Utilization = math.Round(tt.want.Utilization*1e3) / 1e3
			if got.Load != tt.want || got.Age != tt.age || got.Refused != 0 {
				t.Errorf("got %+v, want %+v %v old", *got, tt.want, tt.age)
			}
		})
	}
}

func TestReportsThatCannotBeTrueAreCounted(t *testing.T) {
	inf := math.Inf(1)
	for name, l := range map[string]balancer.Load{
		"NaN utilization":      {Utilization: math.NaN(), QPS: 1},
		"negative utilization": {Utilization: -0.1, QPS: 1},
		"infinite utilization": {Utilization: inf, QPS: 1},
		"NaN rate":             {Utilization: 1, QPS: math.NaN()},
		"negative rate":        {Utilization: 1, QPS: -1},
		"infinite rate":        {Utilization: 1, QPS: inf},
		"NaN errors":           {Utilization: 1, QPS: 1, EPS: math.NaN()},
		"negative errors":      {Utilization: 1, QPS: 1, EPS: -1},
		"infinite errors":      {Utilization: 1, QPS: 1, EPS: inf},
		"negative calls":       {InFlight: -1, Latency: 1},
		"negative latency":     {InFlight: 1, Latency: -1},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNodes(t, 1)[0]
			n.Report(start, l)
			if got := n.Stats(start).Reported; got == nil || got.Load != (balancer.Load{}) || got.Refused != 1 {
				t.Errorf("got %+v", got)
			}
			good := balancer.Load{InFlight: 1, Latency: 1024}
			n.Report(start, good)
			n.Report(start, l)
			if got := n.Stats(start).Reported; got.Load != good || got.Refused != 2 {
				t.Errorf("after a good one: %+v", got)
			}
		})
	}
}

func TestReportsThatCannotBeReadAreCounted(t *testing.T) {
	n := newNodes(t, 1)[0]
	n.Misreport()
	if got := n.Stats(start).Reported; got == nil || got.Refused != 1 {
		t.Errorf("got %+v", got)
	}
}

// Doors look for reports only where somebody wants them.
func TestNobodyListensUntilSomebodyAsks(t *testing.T) {
	asking := struct {
		name   string
		policy balancer.Policy
	}{"weighted-round-robin by reports", balancer.WeightedRoundRobin{Reported: true}}
	for _, p := range append(slices.Clip(policies), asking) {
		nodes := newNodes(t, 2)
		p.policy.Picker(balancer.Among(nodes...))
		_, prequal := p.policy.(balancer.Prequal)
		wants := prequal || p.policy == asking.policy
		if got := nodes[0].Listens(); got != wants {
			t.Errorf("a picker of %s makes nodes listen: %v", p.name, got)
		}
		if got := nodes[0].Stats(start).Reported; got != nil {
			t.Errorf("%s: nothing was reported but %+v", p.name, got)
		}
	}
	n := newNodes(t, 1)[0]
	n.Report(start, balancer.Load{})
	if !n.Listens() {
		t.Error("a node that was told something does not listen")
	}
}

func TestReportsAreReadable(t *testing.T) {
	n := newNodes(t, 1)[0]
	n.Report(start, balancer.Load{Utilization: 0.5, QPS: 8, InFlight: 2, Latency: 1024})
	got, err := json.Marshal(n.Stats(start + time.Second).Reported)
	if want := `{"utilization":0.5,"qps":8,"inFlight":2,"latencyNs":1024,"ageNs":1000000000}`; err != nil || string(got) != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}

func TestReportsComeFromEverywhere(t *testing.T) {
	n := newNodes(t, 1)[0]
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 1000 {
				n.Report(start, balancer.Load{Utilization: 1, QPS: float64(i + 1), InFlight: i, Latency: time.Duration(i + 1)})
				n.Stats(start)
			}
		})
	}
	all.Wait()
	if got := n.Stats(start).Reported; got.QPS < 1 || got.QPS > 4 || got.InFlight > 3 {
		t.Errorf("got %+v", got)
	}
}

func TestReportsAllocateNothing(t *testing.T) {
	n := newNodes(t, 1)[0]
	n.Report(start, balancer.Load{})
	if got := testing.AllocsPerRun(100, func() {
		n.Report(start, balancer.Load{Utilization: 1, QPS: 1, InFlight: 1, Latency: 1})
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// Whatever the protocol, what an answer says of the server's load goes to the
// node, before its call is done.
func ExampleNode_Report() {
	node := balancer.NewNode(discovery.Instance{ID: "a"}, 0)
	ticket := node.Start(balancer.Now())
	node.Report(balancer.Now(), balancer.Load{InFlight: 12, Latency: 1024 * time.Microsecond})
	ticket.Done(balancer.Now(), balancer.Success)

	said := node.Stats(balancer.Now()).Reported
	fmt.Println(said.InFlight, said.Latency)
	// Output: 12 1.024ms
}

func BenchmarkReport(b *testing.B) {
	n := newNodes(b, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		n.Report(start, balancer.Load{Utilization: 0.5, QPS: 100, InFlight: 3, Latency: time.Millisecond})
	}
}
