package balancer

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

type fleetServer struct {
	id      string
	level   int
	free    []time.Duration
	mean    time.Duration
	fails   float64
	hangs   bool
	sigma   float64
	tooLong time.Duration
}

func (s *fleetServer) serve(t time.Duration, bits *rand.Rand) (time.Duration, Result) {
	if s.hangs {
		return 20 * time.Second, Failure
	}
	if s.fails > 0 && bits.Float64() < s.fails {
		return 200 * time.Microsecond, Failure
	}
	w := 0
	for i := range s.free {
		if s.free[i] < s.free[w] {
			w = i
		}
	}
	begin := max(t, s.free[w])
	if begin-t > s.tooLong {
		return time.Millisecond, Failure
	}
	d := time.Duration(float64(s.mean) * bits.ExpFloat64())
	if s.sigma > 0 {
		d = time.Duration(float64(s.mean) * math.Exp(bits.NormFloat64()*s.sigma-s.sigma*s.sigma/2))
	}
	s.free[w] = begin + d
	return begin + d - t, Success
}

type fleetEvent struct {
	at     time.Duration
	client *fleetClient
	kind   int // 0 arrival 1 done 2 refresh
	ticket Ticket
	result Result
	level  int
	took   time.Duration
}
type fleetHeap []fleetEvent

func (h fleetHeap) Len() int           { return len(h) }
func (h fleetHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h fleetHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *fleetHeap) Push(x any)        { *h = append(*h, x.(fleetEvent)) }
func (h *fleetHeap) Pop() any          { l := (*h)[len(*h)-1]; *h = (*h)[:len(*h)-1]; return l }

type fleetClient struct {
	rate   float64
	rtt    []time.Duration
	nodes  map[*Node]*fleetServer
	spread *spread
	spill  *spill
}

type fleet struct {
	servers [][]*fleetServer
	clients []*fleetClient
	events  fleetHeap
	bits    *rand.Rand
	now     time.Duration
	calls   []int // per level
	failed  int
	lat     []time.Duration
}

func newFleet(levels []int, workers int, mean time.Duration, clients int, rate float64, rtt []time.Duration, rooms []float64) *fleet {
	f := &fleet{bits: rand.New(rand.NewPCG(5, 6)), calls: make([]int, len(levels)), now: start0}
	k := 0
	for l, n := range levels {
		var ss []*fleetServer
		for range n {
			ss = append(ss, &fleetServer{id: fmt.Sprintf("i%05d", k), level: l, free: make([]time.Duration, workers), mean: mean, tooLong: time.Second})
			k++
		}
		f.servers = append(f.servers, ss)
	}
	for range clients {
		c := &fleetClient{rate: rate, rtt: rtt, nodes: map[*Node]*fleetServer{}}
		var parts []Picker
		var ls []level
		for l, ss := range f.servers {
			var nodes []*Node
			for i, s := range ss {
				n := NewNode(discovery.Instance{ID: s.id}, i)
				n.tally.Store(new(tally))
				n.watch()
				c.nodes[n] = s
				nodes = append(nodes, n)
			}
			parts = append(parts, P2CEWMA{}.Picker(Among(nodes...)))
			ls = append(ls, level{distance: Distance(l), nodes: nodes, room: rooms[l], health: 1})
		}
		c.spill = newSpill(ls, nil)
		c.spread = newSpread(parts, []spreadTier{{0, 1, c.spill}}, false)
		f.clients = append(f.clients, c)
		heap.Push(&f.events, fleetEvent{at: f.now + time.Duration(f.bits.Float64()*float64(time.Second)), client: c, kind: 2})
		heap.Push(&f.events, fleetEvent{at: f.now + f.gap(c), client: c})
	}
	return f
}

const start0 = time.Hour

func (f *fleet) gap(c *fleetClient) time.Duration {
	return time.Duration(f.bits.ExpFloat64() / c.rate * float64(time.Second))
}

func (f *fleet) run(d time.Duration) {
	end := f.now + d
	f.calls = make([]int, len(f.calls))
	f.lat = f.lat[:0]
	f.failed = 0
	for f.events[0].at < end {
		e := heap.Pop(&f.events).(fleetEvent)
		f.now = e.at
		switch e.kind {
		case 0:
			n := e.client.spread.Pick(Request{Now: f.now, Rand: f.bits.Uint64()})
			s := e.client.nodes[n]
			took, result := s.serve(f.now, f.bits)
			took += e.client.rtt[s.level]
			f.calls[s.level]++
			heap.Push(&f.events, fleetEvent{at: f.now + took, client: e.client, kind: 1, ticket: n.Start(f.now), result: result, took: took})
			heap.Push(&f.events, fleetEvent{at: f.now + f.gap(e.client), client: e.client})
		case 1:
			if e.result == Failure {
				f.failed++
			} else {
				f.lat = append(f.lat, e.took)
			}
			e.ticket.Done(f.now, e.result)
		case 2:
			e.client.spread.Refresh(f.now)
			heap.Push(&f.events, fleetEvent{at: f.now + time.Second, client: e.client, kind: 2})
		}
	}
	f.now = end
}

func (f *fleet) show(t *testing.T, label string) {
	sum := 0
	for _, c := range f.calls {
		sum += c
	}
	sh := ""
	for _, c := range f.calls {
		sh += fmt.Sprintf(" %5.1f%%", 100*float64(c)/float64(sum))
	}
	slices.Sort(f.lat)
	q := func(p float64) time.Duration {
		if len(f.lat) == 0 {
			return 0
		}
		return f.lat[int(p*float64(len(f.lat)-1))].Round(10 * time.Microsecond)
	}
	lo, hi := 1.0, 0.0
	for _, c := range f.clients {
		lo, hi = min(lo, c.spill.levels[0].passes), max(hi, c.spill.levels[0].passes)
	}
	t.Logf("%-10s t=%5v calls%s failed %.2f%% p50 %v p99 %v passes %.2f..%.2f", label, f.now-start0, sh, 100*float64(f.failed)/float64(sum), q(.5), q(.99), lo, hi)
}

func TestFleetScratch(t *testing.T) {
	ms := time.Millisecond
	type scen struct {
		name    string
		levels  []int
		clients int
		rate    float64
		rtt     []time.Duration
		rooms   []float64
		phases  func(f *fleet, i int)
		n       int
		every   time.Duration
	}
	// capacity per server: 10 workers / 5ms = 2000/s
	for _, s := range []scen{
		{"A balanced 50%", []int{3, 6}, 10, 300, []time.Duration{ms / 2, ms}, []float64{1, 1}, nil, 10, 10 * time.Second},
		{"B local overloaded 2x", []int{3, 12}, 10, 1200, []time.Duration{ms / 2, ms}, []float64{1, 1}, nil, 20, 10 * time.Second},
		{"B2 local overloaded 1.1x", []int{3, 12}, 10, 660, []time.Duration{ms / 2, ms}, []float64{1, 1}, nil, 20, 10 * time.Second},
		{"C gray local x5 at 20s..120s", []int{3, 6}, 10, 100, []time.Duration{ms / 2, ms}, []float64{1, 1}, func(f *fleet, i int) {
			m := 5 * ms
			if i >= 2 && i < 12 {
				m = 25 * ms
			}
			for _, s := range f.servers[0] {
				s.mean = m
			}
		}, 25, 10 * time.Second},
		{"D local fails 50% at 20..120s", []int{3, 6}, 10, 100, []time.Duration{ms / 2, ms}, []float64{1, 1}, func(f *fleet, i int) {
			m := 0.0
			if i >= 2 && i < 12 {
				m = .5
			}
			for _, s := range f.servers[0] {
				s.fails = m
			}
		}, 25, 10 * time.Second},
		{"E both slow", []int{3, 6}, 10, 100, []time.Duration{ms / 2, ms}, []float64{1, 1}, func(f *fleet, i int) {
			m := 5 * ms
			if i >= 2 && i < 12 {
				m = 25 * ms
			}
			for _, ss := range f.servers {
				for _, s := range ss {
					s.mean = m
				}
			}
		}, 15, 10 * time.Second},
		{"F low rate, many clients, overloaded 2x", []int{1, 12}, 400, 10, []time.Duration{ms / 2, ms}, []float64{1, 1}, nil, 30, 20 * time.Second},
		{"F2 same with room", []int{1, 12}, 400, 10, []time.Duration{ms / 2, ms}, []float64{.3, 1}, nil, 30, 20 * time.Second},
		{"G heavy tails sigma 2", []int{3, 6}, 10, 100, []time.Duration{ms / 2, ms}, []float64{1, 1}, func(f *fleet, i int) {
			for _, ss := range f.servers {
				for _, s := range ss {
					s.sigma = 2
				}
			}
		}, 20, 10 * time.Second},
		{"H local hangs at 20..60", []int{3, 6}, 10, 100, []time.Duration{ms / 2, ms}, []float64{1, 1}, func(f *fleet, i int) {
			for _, s := range f.servers[0] {
				s.hangs = i >= 2 && i < 6
			}
		}, 20, 10 * time.Second},
		{"I three levels, near two slow", []int{3, 6, 6}, 10, 100, []time.Duration{ms / 2, ms, 10 * ms}, []float64{1, 1, 1}, func(f *fleet, i int) {
			m := 5 * ms
			if i >= 2 && i < 12 {
				m = 100 * ms
			}
			for _, ss := range f.servers[:2] {
				for _, s := range ss {
					s.mean = m
				}
			}
		}, 25, 10 * time.Second},
	} {
		t.Log("=====", s.name)
		f := newFleet(s.levels, 10, 5*ms, s.clients, s.rate, s.rtt, s.rooms)
		for i := range s.n {
			if s.phases != nil {
				s.phases(f, i)
			}
			f.run(s.every)
			f.show(t, s.name[:1])
		}
	}
}
