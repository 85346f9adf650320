package balancer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// weighted are the policies whose shares are those of the weights, whatever
// calls show.
var weighted = []struct {
	policy balancer.Policy
	off    float64 // how far 20 000 picks may be from the share
}{
	{balancer.SmoothWeighted{}, 0.0005},
	{balancer.WeightedRoundRobin{}, 0.0005},
	{balancer.Random{}, 0.014}, // four standard deviations
}

// withWeights returns nodes of the given weights, and the pool that can change
// them.
func withWeights(tb testing.TB, weights ...int) (*balancer.Pool, []*balancer.Node) {
	tb.Helper()
	pool := newPool(tb, nil)
	return pool, reweigh(pool, weights...)
}

func reweigh(pool *balancer.Pool, weights ...int) []*balancer.Node {
	s := fixture.Snapshot("orders", len(weights))
	for i, w := range weights {
		s.Instances[i].Weight = w
	}
	return pool.Update(s, start).Nodes
}

// picked returns the share of each node in 20 000 picks.
func picked(picker balancer.Picker, nodes []*balancer.Node) []float64 {
	const picks = 20_000
	bits := rand.New(rand.NewPCG(9, 10))
	got := make([]float64, len(nodes))
	for range picks {
		got[slices.Index(nodes, picker.Pick(balancer.Request{Now: start, Rand: bits.Uint64()}))] += 1.0 / picks
	}
	return got
}

func sharesOf(weights []float64) []float64 {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	shares := slices.Clone(weights)
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

func wantShares(t *testing.T, got, want []float64, off float64) {
	t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > off {
			t.Errorf("node %d has a share of %.4f, want %.4f", i, got[i], want[i])
		}
	}
}

func TestWeightsDecideShares(t *testing.T) {
	tests := []struct {
		name    string
		weights []int
		factors []float32
		want    []float64 // in proportion
	}{
		{"as they are", []int{500, 100, 100}, nil, []float64{5, 1, 1}},
		{"none is the default", []int{0, 50, -3}, nil, []float64{2, 1, 2}},
		{"with factors", []int{100, 100, 200}, []float32{1, 3, 0.5}, []float64{1, 3, 1}},
		{"all with one factor", []int{100, 300}, []float32{0.7, 0.7}, []float64{1, 3}},
		{"fractions", []int{100, 100, 100}, []float32{0.123, 1, 1}, []float64{0.123, 1, 1}},
		{"primes", []int{97, 89, 83, 79, 73, 71, 67, 61}, nil, []float64{97, 89, 83, 79, 73, 71, 67, 61}},
		{"far apart", []int{10_000, 100}, nil, []float64{100, 1}},
	}
	for _, p := range weighted {
		for _, tt := range tests {
			t.Run(p.policy.String()+"/"+tt.name, func(t *testing.T) {
				_, nodes := withWeights(t, tt.weights...)
				picker := p.policy.Picker(balancer.Candidates{Nodes: nodes, Factors: tt.factors})
				wantShares(t, picked(picker, nodes), sharesOf(tt.want), p.off)
			})
		}
	}
}

// Also where there are many and no two weigh the same.
func TestWeightsDecideSharesOfMany(t *testing.T) {
	for _, p := range weighted {
		for _, n := range []int{10, 200, 400} {
			t.Run(fmt.Sprintf("%s/%d", p.policy, n), func(t *testing.T) {
				bits := rand.New(rand.NewPCG(11, 12))
				weights := make([]int, n)
				want := make([]float64, n)
				for i := range weights {
					weights[i] = 100 + bits.IntN(400)
					want[i] = float64(weights[i])
				}
				_, nodes := withWeights(t, weights...)
				wantShares(t, picked(p.policy.Picker(balancer.Among(nodes...)), nodes), sharesOf(want), min(p.off, 0.006))
			})
		}
	}
}

func TestSmoothWeightedIsNginxs(t *testing.T) {
	_, nodes := withWeights(t, 500, 100, 100)
	picker := balancer.SmoothWeighted{}.Picker(balancer.Among(nodes...))
	var turns strings.Builder
	for range 14 {
		turns.WriteByte("abc"[slices.Index(nodes, picker.Pick(balancer.Request{}))])
	}
	if got := turns.String(); !strings.Contains(got, "aabacaa") || got[:7] != got[7:] {
		t.Errorf("got %s", got)
	}
}

// A weight that changes while calls go on counts from the next Refresh on.
func TestRefreshTakesOverWeights(t *testing.T) {
	for _, p := range weighted {
		for _, change := range [][2][]int{
			{{100, 100, 100}, {500, 100, 100}},
			{{500, 100, 100}, {100, 100, 100}},
			{{500, 100, 100}, {100, 500, 97}},
			{{10_000, 9_999, 1}, {9_999, 7_000, 100}},
		} {
			t.Run(fmt.Sprint(p.policy, change), func(t *testing.T) {
				pool, nodes := withWeights(t, change[0]...)
				picker := p.policy.Picker(balancer.Among(nodes...))
				before := picked(picker, nodes)
				if now := reweigh(pool, change[1]...); !slices.Equal(now, nodes) {
					t.Fatal("the nodes are others")
				}
				wantShares(t, picked(picker, nodes), before, p.off)
				picker.(balancer.Refresher).Refresh(start + time.Second)
				want := make([]float64, len(nodes))
				for i, w := range change[1] {
					want[i] = float64(w)
				}
				wantShares(t, picked(picker, nodes), sharesOf(want), p.off)
			})
		}
	}
}

// A picker is made again whenever an instance announces something, so turns go
// on where they were, or anywhere. From the beginning each time, only the first
// node would ever have one.
func TestTurnsGoOnFromPickerToPicker(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.RoundRobin{}, balancer.SmoothWeighted{}, balancer.WeightedRoundRobin{}} {
		for _, what := range []string{"the same", "a weight", "another node"} {
			t.Run(fmt.Sprint(policy, "/", what), func(t *testing.T) {
				pool, nodes := withWeights(t, 100, 100, 100, 100, 100)
				var before balancer.Picker
				got := map[string]int{}
				for i := range 5000 {
					c := balancer.Among(nodes...)
					switch {
					case what == "a weight":
						reweigh(pool, 100, 100, 100, 100, 100+i%2)
					case what == "another node" && i%2 == 1:
						c.Nodes = nodes[:4]
					}
					c.Before = before
					before = policy.Picker(c)
					got[before.Pick(balancer.Request{}).ID()]++
				}
				for _, n := range nodes[:4] {
					if share := got[n.ID()]; share < 900 || share > 1300 {
						t.Errorf("%s had %d of 5000 turns: %v", n.ID(), share, got)
					}
				}
			})
		}
	}
}

func TestModeOfTurns(t *testing.T) {
	heavy := func(n, last int) []int { return append(slices.Repeat([]int{100}, n-1), last) }
	tests := []struct {
		name    string
		policy  balancer.Policy
		weights []int
		want    balancer.Mode
	}{
		{"few", balancer.SmoothWeighted{}, heavy(10, 9_999), balancer.Normal},
		{"many", balancer.SmoothWeighted{}, heavy(2000, 300), balancer.Normal},
		{"many, and too many turns", balancer.SmoothWeighted{}, heavy(2000, 999), balancer.Normal},
		{"many, and a weight had to be cut", balancer.SmoothWeighted{}, heavy(2000, 9_999), balancer.Fallback},
		{"that is what is said of it", balancer.WeightedRoundRobin{}, heavy(2000, 9_999), balancer.Normal},
	}
	for _, tt := range tests {
		t.Run(tt.policy.String()+"/"+tt.name, func(t *testing.T) {
			pool, nodes := withWeights(t, tt.weights...)
			picker := tt.policy.Picker(balancer.Among(nodes...))
			if got := balancer.ModeOf(picker); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			reweigh(pool, heavy(len(nodes), 100)...)
			picker.(balancer.Refresher).Refresh(start)
			if got := balancer.ModeOf(picker); got != balancer.Normal {
				t.Errorf("with equal weights %v", got)
			}
		})
	}
}

// However many call, no turn is lost and none is had twice.
func TestTurnsOfManyCallers(t *testing.T) {
	const callers, rounds = 8, 1000
	for _, policy := range []balancer.Policy{balancer.RoundRobin{}, balancer.SmoothWeighted{}, balancer.WeightedRoundRobin{}} {
		t.Run(policy.String(), func(t *testing.T) {
			_, nodes := withWeights(t, 500, 100, 100)
			if policy == (balancer.RoundRobin{}) {
				nodes = nodes[:2]
			}
			picker := policy.Picker(balancer.Among(nodes...))
			got := make([]int, len(nodes))
			var mu sync.Mutex
			var wait sync.WaitGroup
			for range callers {
				wait.Go(func() {
					mine := make([]int, len(nodes))
					for range 7 * rounds {
						mine[slices.Index(nodes, picker.Pick(balancer.Request{}))]++
					}
					mu.Lock()
					defer mu.Unlock()
					for i, n := range mine {
						got[i] += n
					}
				})
			}
			wait.Wait()
			want := []int{5 * callers * rounds, callers * rounds, callers * rounds}
			if policy == (balancer.RoundRobin{}) {
				want = []int{7 * callers * rounds / 2, 7 * callers * rounds / 2}
			}
			for i := range got {
				if got[i] < want[i]-2 || got[i] > want[i]+2 {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
}

// Weights change, pickers are refreshed and replaced, and calls go on.
func TestWeightsChangeWhileCallersPick(t *testing.T) {
	for _, p := range policies {
		t.Run(p.name, func(t *testing.T) {
			pool := newPool(t, p.policy)
			reweigh(pool, 100, 100, 100)
			stop := make(chan struct{})
			var wait sync.WaitGroup
			for range 2 {
				wait.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							pick(pool)
						}
					}
				})
			}
			changes := 300
			if k, ok := p.policy.(interface{ Keyed() bool }); ok && k.Keyed() {
				changes = 10 // each makes a table
			}
			for i := range changes {
				picker := pool.View().Picker(discovery.HTTP)
				reweigh(pool, slices.Repeat([]int{100, 100 + i, 1 + i%3}, 1+i%2)...)
				for _, picker := range []balancer.Picker{picker, pool.View().Picker(discovery.HTTP)} {
					if r, ok := picker.(balancer.Refresher); ok {
						r.Refresh(start + time.Duration(i)*time.Second)
					}
				}
			}
			close(stop)
			wait.Wait()
		})
	}
}

func TestUnequalWeightsAllocateNothing(t *testing.T) {
	for _, p := range policies {
		for _, n := range []int{3, 300} { // 300 of this sum are too many for a round made in advance
			t.Run(fmt.Sprintf("%s/%d", p.name, n), func(t *testing.T) {
				weights := make([]int, n)
				for i := range weights {
					weights[i] = 101 + i*7
				}
				_, nodes := withWeights(t, weights...)
				picker := p.policy.Picker(balancer.Among(nodes...))
				bits := uint64(1)
				if got := testing.AllocsPerRun(1000, func() {
					bits = bits*6364136223846793005 + 1
					picker.Pick(balancer.Request{Now: start, Rand: bits})
				}); got != 0 {
					t.Errorf("%v allocations", got)
				}
			})
		}
	}
}
