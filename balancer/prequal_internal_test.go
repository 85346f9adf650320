package balancer

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// known is what the model knows of a node, kept the naive way.
type known struct {
	node           *Node
	weight         int
	inFlight, then int // as reported, and outstanding here at that moment
	now            int // outstanding
	latency        float64
	at             time.Duration // of the report; less than 0: none
	failures       int
	failed         time.Duration // when the last one was
}

// penalty is what failures cost: each moves their share by a quarter of what is
// left, up to 31 of 32, and time takes it back.
func (k *known) penalty(now time.Duration) float64 {
	share := min(1-math.Pow(0.75, float64(k.failures)), 31.0/32)
	ok := 1 - share/float64(aged(tickOf(now).since(tickOf(k.failed))))
	return 1 / (ok * ok)
}

// calls is what is in flight there as far as is known.
func (k *known) calls() int { return max(k.inFlight+k.now-k.then, k.now) }

// prequalModel is the rule by itself: of those that are drawn, in the order of
// the draw. It returns the number of the node, or -1 where P2CEWMA chooses among
// all.
func prequalModel(p Prequal, nodes []*known, now time.Duration, r Request) int {
	fresh := func(k *known) bool { return k.at >= 0 && now-k.at <= p.MaxAge }
	var loads []float64
	for _, k := range nodes {
		if fresh(k) {
			loads = append(loads, float64(k.calls())*100/float64(k.weight))
		}
	}
	slices.Sort(loads)
	theta := math.Inf(1)
	if p.QRIF < 1 && len(loads) > 0 {
		theta = loads[int(math.Ceil(p.QRIF*float64(len(loads))))-1]
	}
	if len(loads) < 2 {
		theta = 0 // nothing is made of one
	}

	left := make([]int, len(nodes))
	for i := range left {
		left[i] = i
	}
	bits := r.Rand
	best, unknown, order := -1, -1, []int{}
	for range min(p.Choices, len(nodes)) {
		at := int(math.Ldexp(float64(bits>>11), -53) * float64(len(left)))
		i := left[at]
		left = slices.Delete(left, at, at+1)
		bits = bits*0xd1342543de82ef95 + 1
		order = append(order, i)
		switch {
		case !fresh(nodes[i]):
			if unknown < 0 {
				unknown = i
			}
		case best < 0 || modelPrefers(nodes[i], nodes[best], theta, now, r, bits):
			best = i
		}
	}
	if best < 0 || unknown < 0 {
		return best
	}
	first, second := best, unknown
	if slices.Index(order, unknown) < slices.Index(order, best) {
		first, second = unknown, best
	}
	all := make([]*Node, len(nodes))
	for i, k := range nodes {
		all[i] = k.node
	}
	return slices.Index(all, (&p2cEWMA{nodes: all}).cheaper(first, second, Request{Now: now, Rand: r.Rand}))
}

// modelPrefers says whether a, which was drawn after b, is chosen before it.
func modelPrefers(a, b *known, theta float64, now time.Duration, r Request, bits uint64) bool {
	hot := func(k *known) bool {
		return (float64(k.calls()+1)*k.penalty(now)-1)*100/float64(k.weight) > theta
	}
	// eighth numbers the eighths of each power of two, shifted by what is drawn.
	eighth := func(k *known) float64 {
		mantissa, exponent := math.Frexp(k.latency * k.penalty(now))
		return math.Floor(float64(exponent*8) + (mantissa*2-1)*8 + math.Ldexp(float64(uint32(r.Rand)>>12), -20))
	}
	cost := func(k *known) float64 { return k.latency * k.penalty(now) / float64(k.weight) }
	load := func(k *known) float64 { return float64(k.calls()+1) * k.penalty(now) }
	switch {
	case hot(a) != hot(b):
		return hot(b)
	case !hot(a) && eighth(a) != eighth(b):
		return cost(a) < cost(b)
	case a.weight != b.weight && load(a) == load(b):
		return float64(uint16(bits>>16))/(1<<16) < float64(a.weight)/float64(a.weight+b.weight)
	default:
		return load(a)/float64(a.weight) < load(b)/float64(b.weight)
	}
}

// FuzzPrequal compares choices with the model. Latencies and weights are such
// that a float32 holds what is reckoned with, and failures so few that it does
// nearly.
func FuzzPrequal(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(func(t *testing.T, seed, more uint64) {
		bits := rand.New(rand.NewPCG(seed, more))
		for range 20 {
			comparePrequal(t, bits)
		}
	})
}

func comparePrequal(t *testing.T, bits *rand.Rand) {
	const start = time.Hour
	p := Prequal{Choices: 2 + bits.IntN(mostDraws-1), MaxAge: time.Second, QRIF: []float64{0.25, 0.5, 0.84, 1}[bits.IntN(4)]}
	nodes := make([]*known, 2+bits.IntN(10))
	all := make([]*Node, len(nodes))
	weighted, failing := bits.IntN(3) == 0, bits.IntN(3) == 0
	for i := range nodes {
		k := &known{weight: 100, at: -1}
		if weighted {
			k.weight = 50 << bits.IntN(4)
		}
		k.node = NewNode(discovery.Instance{ID: strconv.Itoa(i), Weight: k.weight}, i)
		k.latency = float64(1+bits.IntN(40)) * 64 * 1024
		k.node.Start(start-time.Duration(k.latency)).Done(start, Success)
		if failing && bits.IntN(4) == 0 {
			k.failures, k.failed = 1, start
			k.node.Start(start).Done(start, Failure)
		}
		before := bits.IntN(4)
		tickets := make([]Ticket, before)
		for j := range tickets {
			tickets[j] = k.node.StartStream(start)
		}
		if bits.IntN(5) > 0 {
			k.at, k.inFlight, k.then = start-time.Duration(bits.IntN(1200))*time.Millisecond, bits.IntN(9), before
			k.node.Report(k.at, Load{InFlight: k.inFlight, Latency: time.Duration(k.latency)})
		}
		k.now = before
		for range bits.IntN(4) {
			k.node.StartStream(start)
			k.now++
		}
		for j := range bits.IntN(before + 1) {
			tickets[j].Done(start, Neutral)
			k.now--
		}
		nodes[i], all[i] = k, k.node
	}
	picker := p.Picker(Among(all...)).(*prequal)
	picker.theta.Store(0) // what the newest report made of it; it may be older
	picker.Refresh(start)
	blind := P2CEWMA{}.Picker(Among(all...))
	for range 20 {
		r := Request{Now: start, Rand: bits.Uint64()}
		got, want := picker.Pick(r), blind.Pick(r)
		if i := prequalModel(p, nodes, start, r); i >= 0 {
			want = all[i]
		}
		if got != want {
			for _, k := range nodes {
				t.Logf("%+v", *k)
			}
			t.Fatalf("%+v, theta %v, %#x: chose %s, the model chooses %s", p, math.Float32frombits(picker.theta.Load()), r.Rand, got.ID(), want.ID())
		}
	}
}
