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

// weightOf is the weight of a node in parts of its own, as policies see it: its
// share of the choices by chance between it and another.
func weightOf(t *testing.T, pool *balancer.Pool, i int) float64 {
	t.Helper()
	nodes := pool.View().Nodes
	n := nodes[i]
	other := nodes[(i+1)%len(nodes)]
	got := share(balancer.LeastRequest{}, []*balancer.Node{n, other}, start)[n]
	return got / (1 - got)
}

// Envoy's formula: the share of its weight that an instance has at some age.
func TestSlowStartGrowsTheWeight(t *testing.T) {
	tests := []struct {
		name   string
		config balancer.SlowStart
		age    time.Duration
		want   float64
	}{
		{"begins with a tenth", balancer.SlowStart{}, 0, 0.1},
		{"grows evenly", balancer.SlowStart{}, 5 * time.Second, 0.5},
		{"to the whole", balancer.SlowStart{}, 10 * time.Second, 1},
		{"and no further", balancer.SlowStart{}, time.Hour, 1},
		{"in a window of its own", balancer.SlowStart{Window: time.Minute}, 15 * time.Second, 0.25},
		{"faster at first", balancer.SlowStart{Aggression: 2}, 2500 * time.Millisecond, 0.5},
		{"slower at first", balancer.SlowStart{Aggression: 0.5}, 5 * time.Second, 0.25},
		{"from a least of its own", balancer.SlowStart{MinWeightPercent: 30}, time.Second, 0.3},
		{"off", balancer.SlowStart{Off: true}, 0, 1},
		{"Dubbo's warm-up, after three of ten minutes", balancer.SlowStart{Window: 10 * time.Minute, MinWeightPercent: 1}, 3 * time.Minute, 0.3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := balancing(t, balancer.Balancing{SlowStart: tt.config})
			pool.Update(fixture.Snapshot("orders", 2), start)
			pool.Update(fixture.Snapshot("orders", 3), start+time.Hour)
			pool.Review(start + time.Hour + tt.age)
			if got := weightOf(t, pool, 2); got < tt.want*0.85-0.01 || got > tt.want*1.15+0.01 {
				t.Errorf("the weight is %.3f of the whole, want %.3f", got, tt.want)
			}
		})
	}
}

// From when on an instance is young.
func TestSlowStartBegins(t *testing.T) {
	startedAgo := func(d time.Duration) func(*discovery.Instance) {
		return func(i *discovery.Instance) { i.StartedAt = time.Now().Add(-d) }
	}
	unknown := func(i *discovery.Instance) { i.StartedAt = time.Time{} }
	for _, tt := range []struct {
		name  string
		set   func(*discovery.Instance)
		first bool // it is on the first list
		young bool
	}{
		{"on the first list, just started", startedAgo(0), true, true},
		{"on the first list, started long ago", startedAgo(time.Hour), true, false},
		{"on the first list, of unknown age", unknown, true, false},
		{"on the first list, by a clock that is ahead", startedAgo(-time.Hour), true, true},
		{"later, of unknown age", unknown, false, true},
		{"later, although it says that it started long ago", startedAgo(time.Hour), false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := balancer.Now()
			pool := balancing(t, balancer.Balancing{})
			s := fixture.Snapshot("orders", 3)
			for n, i := range s.Instances {
				i = new(*i)
				i.StartedAt = time.Now().Add(-time.Hour)
				s.Instances[n] = i
			}
			tt.set(s.Instances[2])
			if !tt.first {
				all := s
				s.Instances = s.Instances[:2]
				pool.Update(s, now)
				s = all
			}
			pool.Update(s, now)
			if got := weightOf(t, pool, 2); got < 0.5 != tt.young {
				t.Errorf("its weight is %.2f of the whole", got)
			}
		})
	}
}

// Who was away and is back is young again; who was held was never away. A
// change of its weight changes nothing of that.
func TestSlowStartBeginsAgain(t *testing.T) {
	pool := balancing(t, balancer.Balancing{})
	s := fixture.Snapshot("orders", 3)
	pool.Update(s, start)
	pool.Update(fixture.Snapshot("orders", 2), start+time.Minute)
	back := start + 2*time.Minute
	pool.Update(s, back)
	if got := weightOf(t, pool, 2); got > 0.15 {
		t.Errorf("one that is back has %.2f of its weight", got)
	}
	heavier := fixture.Snapshot("orders", 3)
	heavier.Instances[2] = new(*heavier.Instances[2])
	heavier.Instances[2].Weight = 200
	pool.Update(heavier, back+5*time.Second)
	if got := weightOf(t, pool, 2); got < 0.85 || got > 1.15 {
		t.Errorf("one of twice the weight has %.2f at half the time, want 1", got)
	}
	c := newCourt(t, 10, balancer.OutlierDetection{})
	c.calls(3, "fffff")
	c.wait(40 * time.Second)
	c.picked()
	c.calls(3, "s")
	if got := weightOf(t, c.pool, 3); got > 0.15 {
		t.Errorf("one that was ejected has %.2f of its weight at once", got)
	}
}

// A new instance never gets more than half as much again as its fair share, in
// any window in which that is a thousand calls, whatever the load.
func TestANewInstanceIsNotOverrun(t *testing.T) {
	if underRace {
		t.Skip("one goroutine plays all of it")
	}
	for _, p := range []balancer.Policy{balancer.P2CEWMA{}, balancer.LeastRequest{}, balancer.Random{}, balancer.RoundRobin{}} {
		for _, rate := range []int{1000, 20_000} {
			t.Run(fmt.Sprintf("%v/rate=%d", p, rate), func(t *testing.T) {
				const old = 9
				pool := balancing(t, balancer.Balancing{Policy: p})
				pool.Update(fixture.Snapshot("orders", old), start)
				w := newTraffic(pool, rate)
				w.run(2 * time.Second)
				pool.Update(fixture.Snapshot("orders", old+1), w.now)
				window := time.Duration(1000*(old+1)) * time.Second / time.Duration(rate)
				for elapsed := time.Duration(0); elapsed < 15*time.Second; elapsed += window {
					if got := w.run(window)["i00009"]; got > 1500 {
						t.Errorf("%v after it came it got %d calls, a fair share is 1000", elapsed, got)
					}
				}
				if got := w.run(window)["i00009"]; got < 600 {
					t.Errorf("in the end it gets %d calls, a fair share is 1000", got)
				}
			})
		}
	}
}

func TestSlowStartRefusesBadSettings(t *testing.T) {
	for _, tt := range []struct {
		config balancer.SlowStart
		field  string
	}{
		{balancer.SlowStart{Window: -1}, "SlowStart.Window"},
		{balancer.SlowStart{Aggression: -1}, "SlowStart.Aggression"},
		{balancer.SlowStart{Aggression: math.NaN()}, "SlowStart.Aggression"},
		{balancer.SlowStart{Aggression: math.Inf(1)}, "SlowStart.Aggression"},
		{balancer.SlowStart{MinWeightPercent: 101}, "SlowStart.MinWeightPercent"},
		{balancer.SlowStart{MinWeightPercent: -1}, "SlowStart.MinWeightPercent"},
	} {
		err := balancer.Balancing{SlowStart: tt.config}.Validate()
		if field, ok := errors.AsType[*discovery.FieldError](err); !ok || field.Field != tt.field {
			t.Errorf("%+v: %v", tt.config, err)
		}
	}
}
