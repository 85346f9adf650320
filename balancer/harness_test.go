package balancer_test

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// start is when the tests begin: any moment but zero would do.
const start = time.Hour

// newPool returns a pool that believes every list, and calls all that are on it.
func newPool(tb testing.TB, policy balancer.Policy) *balancer.Pool {
	tb.Helper()
	return balancing(tb, balancer.Balancing{Policy: policy, Subset: balancer.Subset{Off: true}})
}

// balancing returns one that balances in a way of its own.
func balancing(tb testing.TB, b balancer.Balancing) *balancer.Pool {
	tb.Helper()
	pool, err := balancer.NewPool(balancer.PoolConfig{Balancing: b, Protection: balancer.Protection{Off: true}})
	if err != nil {
		tb.Fatal(err)
	}
	return pool
}

// newNodes returns n nodes without history, as a pool makes them.
func newNodes(tb testing.TB, n int) []*balancer.Node {
	tb.Helper()
	return newPool(tb, nil).Update(fixture.Snapshot("orders", n), start).Nodes
}

// took gives a node one success that ended at the given moment.
func took(n *balancer.Node, latency, ended time.Duration) {
	n.Start(ended-latency).Done(ended, balancer.Success)
}

// hold leaves calls outstanding whose age does not count.
func hold(n *balancer.Node, calls int, at time.Duration) (release func()) {
	tickets := make([]balancer.Ticket, calls)
	for i := range tickets {
		tickets[i] = n.StartStream(at)
	}
	return func() {
		for _, t := range tickets {
			t.Done(at, balancer.Neutral)
		}
	}
}

// share returns how much of many picks at one moment goes to each node.
func share(policy balancer.Policy, nodes []*balancer.Node, now time.Duration) map[*balancer.Node]float64 {
	const picks = 4000
	bits := rand.New(rand.NewPCG(1, 2))
	picker := policy.Picker(balancer.Among(nodes...))
	got := map[*balancer.Node]float64{}
	for range picks {
		got[picker.Pick(balancer.Request{Now: now, Rand: bits.Uint64()})] += 1.0 / picks
	}
	return got
}

// always, never and evenly say what share one of two nodes has.
func always(s float64) bool { return s > 0.9999 }
func never(s float64) bool  { return s == 0 }
func evenly(s float64) bool { return s > 0.45 && s < 0.55 }

// traffic plays an open-loop load on a pool in simulated time.
type traffic struct {
	pool *balancer.Pool
	rate int // calls a second
	// serve says how long a call takes at a node, and how it ends.
	serve func(n *balancer.Node, bits *rand.Rand) (time.Duration, balancer.Result)

	now      time.Duration
	reviewed time.Duration
	bits     *rand.Rand
	running  flights
}

func newTraffic(pool *balancer.Pool, rate int) *traffic {
	return &traffic{pool: pool, rate: rate, serve: healthy, now: start, bits: rand.New(rand.NewPCG(3, 4))}
}

// healthy is 1 ms on the average.
func healthy(_ *balancer.Node, bits *rand.Rand) (time.Duration, balancer.Result) {
	return time.Duration((0.5 + bits.ExpFloat64()/2) * float64(time.Millisecond)), balancer.Success
}

// reviewEvery is how often the pool is looked after: as [balancer.Pool.Run]
// does where calls show something.
const reviewEvery = 10 * time.Millisecond

// run plays on for d and returns how many calls each instance got.
func (w *traffic) run(d time.Duration) map[string]int {
	got := map[string]int{}
	for end := w.now + d; w.now < end; w.now += time.Second / time.Duration(w.rate) {
		for len(w.running) > 0 && w.running[0].end <= w.now {
			f := heap.Pop(&w.running).(flight)
			f.ticket.Done(f.end, f.result)
		}
		if w.now-w.reviewed >= reviewEvery {
			w.reviewed = w.now
			w.pool.Review(w.now)
		}
		n := w.pool.View().Picker(discovery.HTTP).Pick(balancer.Request{Now: w.now, Rand: w.bits.Uint64()})
		got[n.ID()]++
		took, result := w.serve(n, w.bits)
		heap.Push(&w.running, flight{n.Start(w.now), w.now + took, result})
	}
	return got
}

type flight struct {
	ticket balancer.Ticket
	end    time.Duration
	result balancer.Result
}

type flights []flight

func (f flights) Len() int           { return len(f) }
func (f flights) Less(i, j int) bool { return f[i].end < f[j].end }
func (f flights) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)        { *f = append(*f, x.(flight)) }

func (f *flights) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}
