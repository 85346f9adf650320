package balancer_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// said gives a node a report of just now.
func said(n *balancer.Node, inFlight int, latency time.Duration, now time.Duration) {
	n.Report(now, balancer.Load{InFlight: inFlight, Latency: latency})
}

// The choice among nodes a, b, c and d, of which all are drawn. c and d are slow,
// and there to say what is hot, by their three and ten calls in flight: with more
// than all others but one.
func TestPrequalChooses(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name    string
		prepare func(a, b *balancer.Node)
		after   time.Duration // that the choice is made
		want    string        // which of a and b; "ab": either
	}{
		{"the faster of two cold ones, though it has more calls", func(a, b *balancer.Node) {
			said(a, 9, 10*ms, start)
			said(b, 1, 20*ms, start)
		}, 0, "a"},
		{"the cold one, though it is slower", func(a, b *balancer.Node) {
			said(a, 20, ms, start)
			said(b, 9, 40*ms, start)
		}, 0, "b"},
		{"of two that are about as fast, that with fewer calls", func(a, b *balancer.Node) {
			said(a, 5, 10*ms, start)
			said(b, 2, 10*ms, start)
		}, 0, "b"},
		{"of two that are alike, either", func(a, b *balancer.Node) {
			said(a, 5, 10*ms, start)
			said(b, 5, 10*ms, start)
		}, 0, "ab"},
		{"differences below a sixteenth are seen now and then", func(a, b *balancer.Node) {
			said(a, 5, 10*ms, start)
			said(b, 5, 10*ms+ms/2, start)
		}, 0, "ab"},

		{"a call that was started since counts", func(a, b *balancer.Node) {
			said(a, 5, 10*ms, start)
			said(b, 5, 10*ms, start)
			a.Start(start)
		}, 0, "b"},
		{"a call that has ended since counts", func(a, b *balancer.Node) {
			ticket := a.Start(start)
			said(a, 5, 10*ms, start)
			said(b, 5, 10*ms, start)
			ticket.Done(start, balancer.Neutral)
		}, 0, "a"},
		{"calls of this process make a node hot", func(a, b *balancer.Node) {
			said(a, 2, ms, start)
			said(b, 5, 10*ms, start)
			hold(a, 9, start)
		}, 0, "b"},
		{"there are never fewer calls than those of this process", func(a, b *balancer.Node) {
			hold(a, 6, start)
			said(a, 1, 10*ms, start)
			said(b, 5, 10*ms, start)
		}, 0, "b"},

		{"failures make it slower", func(a, b *balancer.Node) {
			said(a, 5, 10*ms, start)
			said(b, 5, 15*ms, start)
			a.Start(start).Done(start, balancer.Failure)
		}, 0, "b"},
		{"what fails at once and has nothing to do is hot", func(a, b *balancer.Node) {
			said(a, 1, ms, start)
			said(b, 9, 100*ms, start)
			for range 100 {
				a.Start(start).Done(start, balancer.Failure)
			}
		}, 0, "b"},

		{"a report of a second ago counts", func(a, b *balancer.Node) {
			said(a, 5, 10*ms, start)
			said(b, 5, 20*ms, start+time.Second)
			took(a, 100*ms, start)
			took(b, 1*ms, start)
		}, time.Second, "a"},
		{"an older one does not: calls decide", func(a, b *balancer.Node) {
			said(a, 5, 10*ms, start)
			said(b, 5, 20*ms, start+time.Second)
			took(a, 100*ms, start)
			took(b, 1*ms, start)
		}, time.Second + 1, "b"},
		{"nor one from long after, by a clock that was set back", func(a, b *balancer.Node) {
			said(a, 5, 10*ms, start+time.Hour)
			said(b, 5, 20*ms, start)
			took(a, 100*ms, start)
			took(b, 1*ms, start)
		}, 0, "b"},
		{"without a report and without history: as likely as the best", func(_, b *balancer.Node) {
			said(b, 5, 10*ms, start)
		}, 0, "ab"},
		{"without a report, and dearer as calls show", func(a, b *balancer.Node) {
			took(a, 100*ms, start)
			took(b, 10*ms, start)
			said(b, 5, 10*ms, start)
		}, 0, "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nodes := newNodes(t, 4)
			tt.prepare(nodes[0], nodes[1])
			now := start + tt.after
			for i, n := range nodes[2:] { // slow, so that they are not chosen
				said(n, []int{3, 10}[i], time.Second, now)
				took(n, time.Second, now)
			}
			got := share(balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
				picker := balancer.Prequal{Choices: 4, QRIF: 0.75}.Picker(c)
				picker.(balancer.Refresher).Refresh(now)
				return picker
			}), nodes, now)
			a, b := got[nodes[0]], got[nodes[1]]
			switch {
			case a+b < 0.9999, tt.want == "a" && b > 0, tt.want == "b" && a > 0, tt.want == "ab" && (a < 0.25 || b < 0.25):
				t.Errorf("a has a share of %.3f, b of %.3f, want %s", a, b, tt.want)
			}
		})
	}
}

func TestPrequalSettings(t *testing.T) {
	const ms = time.Millisecond
	nodes := newNodes(t, 10)
	for i, n := range nodes {
		said(n, i+1, time.Duration(20-i)*10*ms, start) // the busier the faster
	}
	last := func(p balancer.Prequal) int { // the busiest that is chosen
		busiest := 0
		for n := range share(p, nodes, start) {
			busiest = max(busiest, n.Index())
		}
		return busiest
	}
	for _, tt := range []struct {
		name   string
		policy balancer.Prequal
		want   int
	}{
		{"the quantile 0.84 of ten is the ninth", balancer.Prequal{Choices: 8}, 8},
		{"0.5 is the fifth", balancer.Prequal{Choices: 8, QRIF: 0.5}, 4},
		{"near 0, calls decide alone", balancer.Prequal{Choices: 8, QRIF: 1e-9}, 2},
		{"1: latency decides alone", balancer.Prequal{Choices: 8, QRIF: 1}, 9},
	} {
		if got := last(tt.policy); got != tt.want {
			t.Errorf("%s: the busiest that is chosen is number %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestPrequalValidate(t *testing.T) {
	for _, tt := range []struct {
		policy balancer.Prequal
		field  string // "": good
	}{
		{balancer.Prequal{}, ""},
		{balancer.Prequal{Choices: 2, MaxAge: 1, QRIF: 1}, ""},
		{balancer.Prequal{Choices: 8}, ""},
		{balancer.Prequal{Choices: -1}, "Choices"},
		{balancer.Prequal{Choices: 1}, "Choices"},
		{balancer.Prequal{Choices: 9}, "Choices"},
		{balancer.Prequal{MaxAge: -1}, "MaxAge"},
		{balancer.Prequal{QRIF: -0.1}, "QRIF"},
		{balancer.Prequal{QRIF: 1.1}, "QRIF"},
		{balancer.Prequal{QRIF: math.NaN()}, "QRIF"},
	} {
		_, err := balancer.NewPool(balancer.PoolConfig{Balancing: balancer.Balancing{Policy: tt.policy}})
		f, bad := errors.AsType[*discovery.FieldError](err)
		if bad != (tt.field != "") || bad && f.Field != tt.field {
			t.Errorf("%+v: %v, want %q", tt.policy, err, tt.field)
		}
	}
}

// Without reports it is P2CEWMA, choice by choice, and it says so.
func TestPrequalWithoutReports(t *testing.T) {
	nodes := newNodes(t, 7)
	for i, n := range nodes {
		took(n, time.Duration(i+1)*time.Millisecond, start)
		said(n, 1, time.Duration(8-i)*time.Millisecond, start)
	}
	now := start + 1001*time.Millisecond
	known, blind := balancer.Prequal{}.Picker(balancer.Among(nodes...)), balancer.P2CEWMA{}.Picker(balancer.Among(nodes...))
	for i := range uint64(1000) {
		r := balancer.Request{Now: now, Rand: i * 0x9e3779b97f4a7c15}
		if a, b := known.Pick(r), blind.Pick(r); a != b {
			t.Fatalf("it chose %s, P2CEWMA chooses %s", a.ID(), b.ID())
		}
	}
}

func TestPrequalShowsItsMode(t *testing.T) {
	pool := newPool(t, balancer.Prequal{})
	nodes := pool.Update(fixture.Snapshot("orders", 3), start).Nodes
	mode := func() balancer.Mode { return pool.View().Choice(discovery.HTTP).Mode() }
	report := func(at time.Duration) {
		for _, n := range nodes {
			said(n, 1, time.Millisecond, at)
		}
	}
	steps := []struct {
		name string
		do   func()
		want balancer.Mode
	}{
		{"nothing was ever said", func() {}, balancer.Cold},
		{"nor a second later", func() { pool.Review(start + time.Second) }, balancer.Cold},
		{"reports have come", func() { report(start + 2*time.Second); pool.Review(start + 2*time.Second) }, balancer.Normal},
		{"the list has grown", func() { pool.Update(fixture.Snapshot("orders", 4), start+2*time.Second) }, balancer.Normal},
		{"they are too old", func() { pool.Review(start + 4*time.Second) }, balancer.Fallback},
		{"the list has shrunk", func() { pool.Update(fixture.Snapshot("orders", 3), start+4*time.Second) }, balancer.Fallback},
		{"there are some again", func() { report(start + 6*time.Second); pool.Review(start + 6*time.Second) }, balancer.Normal},
	}
	for _, s := range steps {
		if s.do(); mode() != s.want {
			t.Errorf("%s: it is %v, want %v", s.name, mode(), s.want)
		}
	}
}

// A policy that is put in force while reports come goes by them at once.
func TestPrequalKnowsWhatWasSaidBeforeIt(t *testing.T) {
	nodes := newNodes(t, 10)
	for i, n := range nodes {
		said(n, i+1, time.Millisecond, start)
	}
	picker := balancer.Prequal{}.Picker(balancer.Among(nodes...))
	if got := balancer.ModeOf(picker); got != balancer.Normal {
		t.Errorf("it begins %v", got)
	}
	said(nodes[9], 10, time.Microsecond, start) // hot, as it knows
	for i := range uint64(1000) {
		if n := picker.Pick(balancer.Request{Now: start, Rand: i * 0x9e3779b97f4a7c15}); n == nodes[9] {
			t.Fatal("it chose the hot one")
		}
	}
}

// What counts is for their weight.
func TestPrequalHonoursWeights(t *testing.T) {
	for _, tt := range []struct {
		name             string
		inFlight, weight [2]int
		share            float64 // of the first
	}{
		{"alike and idle: by weight", [2]int{1, 1}, [2]int{300, 100}, 0.75},
		{"as many calls: by weight", [2]int{5, 5}, [2]int{100, 400}, 0.2},
		{"twice the calls, three times the weight", [2]int{5, 2}, [2]int{300, 100}, 1},
		{"twice the calls, hardly more weight", [2]int{5, 2}, [2]int{110, 100}, 0},
	} {
		s := fixture.Snapshot("orders", 2)
		s.Instances[0].Weight, s.Instances[1].Weight = tt.weight[0], tt.weight[1]
		nodes := newPool(t, nil).Update(s, start).Nodes
		for i, n := range nodes {
			said(n, tt.inFlight[i], 10*time.Millisecond, start)
		}
		if got := share(balancer.Prequal{QRIF: 1}, nodes, start)[nodes[0]]; math.Abs(got-tt.share) > 0.03 {
			t.Errorf("%s: the first has a share of %.3f, want %.3f", tt.name, got, tt.share)
		}
	}
}

// Nothing that nodes, factors or reports can be makes it panic, or choose nobody.
func TestPrequalOfBadInput(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, factors := range [][]float32{nil, {0, 0, 0}, {inf, 1, -1}, {float32(math.NaN()), 1, 1}, {1e-45, 1e38, 1}} {
		for _, now := range []time.Duration{start, 0, -start, math.MaxInt64, math.MinInt64} {
			nodes := newNodes(t, 3)
			for i, n := range nodes {
				n.Report(now, balancer.Load{InFlight: i * math.MaxInt32, Latency: math.MaxInt64 >> (i * 20)})
			}
			picker := balancer.Prequal{Choices: 8}.Picker(balancer.Candidates{Nodes: nodes, Factors: factors})
			picker.(balancer.Refresher).Refresh(now)
			for i := range uint64(100) {
				if picker.Pick(balancer.Request{Now: now, Rand: i * 0x9e3779b97f4a7c15}) == nil {
					t.Fatalf("factors %v, now %v: nobody was chosen", factors, now)
				}
			}
		}
	}
}

// Servers say how busy they are; the least busy of equally fast ones is chosen.
func ExamplePrequal() {
	nodes := []*balancer.Node{
		balancer.NewNode(discovery.Instance{ID: "busy"}, 0),
		balancer.NewNode(discovery.Instance{ID: "idle"}, 1),
	}
	now := time.Minute
	nodes[0].Report(now, balancer.Load{InFlight: 40, Latency: 12 * time.Millisecond})
	nodes[1].Report(now, balancer.Load{InFlight: 2, Latency: 12 * time.Millisecond})

	picker := balancer.Prequal{}.Picker(balancer.Among(nodes...))
	fmt.Println(picker.Pick(balancer.Request{Now: now, Rand: 42}).ID(), balancer.ModeOf(picker))
	// Output: idle normal
}
