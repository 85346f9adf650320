package balancer_test

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// fleet plays many clients that know nothing of each other on servers that work
// on four calls at a time and let the others wait, in simulated time. Servers
// report their load with each answer, and what is on the wire takes time.
type fleet struct {
	now     time.Duration
	events  events
	bits    *rand.Rand
	servers map[string]*simulated
	wire    time.Duration

	latencies []time.Duration
	got       map[string]int // calls, by server
}

// simulated is one server.
type simulated struct {
	slow          float64 // times slower than others
	fails         bool    // at once
	busy          int
	waiting       []func()
	inFlight, max int
	latency       [1000]float64 // mean of late, by the calls in flight that a call found
}

const (
	workers = 4
	work    = 10 * time.Millisecond // the mean of a call alone
)

func newFleet(servers int) *fleet {
	f := &fleet{now: start, bits: rand.New(rand.NewPCG(7, 9)), servers: map[string]*simulated{}, wire: 200 * time.Microsecond}
	for _, i := range fixture.Snapshot("orders", servers).Instances {
		f.servers[i.ID] = &simulated{slow: 1}
	}
	return f
}

// join lets clients come who make rate calls a second together.
func (f *fleet) join(t *testing.T, policy balancer.Policy, clients int, rate float64) {
	for range clients {
		pool := balancing(t, balancer.Balancing{Policy: policy, OutlierDetection: balancer.OutlierDetection{Off: true}})
		pool.Update(fixture.Snapshot("orders", len(f.servers)), start)
		var next, review func()
		next = func() {
			f.call(pool)
			f.after(time.Duration(f.bits.ExpFloat64()*float64(clients)/rate*float64(time.Second)), next)
		}
		review = func() {
			pool.Review(f.now)
			f.after(time.Second, review)
		}
		f.after(time.Duration(f.bits.ExpFloat64()*float64(clients)/rate*float64(time.Second)), next)
		f.after(time.Duration(f.bits.Int64N(int64(time.Second))), review)
	}
}

// run plays on for d and returns the latencies of calls that ended, sorted; got
// and the most calls in flight are counted anew.
func (f *fleet) run(d time.Duration) []time.Duration {
	f.latencies, f.got = nil, map[string]int{}
	for _, s := range f.servers {
		s.max = 0
	}
	for end := f.now + d; f.now < end; {
		e := heap.Pop(&f.events).(event)
		f.now = e.at
		e.do()
	}
	slices.Sort(f.latencies)
	return f.latencies
}

func (f *fleet) after(d time.Duration, do func()) { heap.Push(&f.events, event{f.now + d, do}) }

func (f *fleet) call(pool *balancer.Pool) {
	n := pool.View().Picker(discovery.HTTP).Pick(balancer.Request{Now: f.now, Rand: f.bits.Uint64()})
	f.got[n.ID()]++
	ticket, began, s := n.Start(f.now), f.now, f.servers[n.ID()]
	f.after(f.wire, func() {
		f.serve(s, func(load balancer.Load) {
			f.after(f.wire, func() {
				n.Report(f.now, load)
				if s.fails {
					ticket.Done(f.now, balancer.Failure)
					return
				}
				ticket.Done(f.now, balancer.Success)
				f.latencies = append(f.latencies, f.now-began)
			})
		})
	})
}

func (f *fleet) serve(s *simulated, answer func(balancer.Load)) {
	s.inFlight++
	s.max = max(s.max, s.inFlight)
	found, arrived := s.inFlight, f.now
	leave := func() {
		if mean := &s.latency[found]; *mean == 0 {
			*mean = float64(f.now - arrived)
		} else {
			*mean += (float64(f.now-arrived) - *mean) / 16
		}
		load := balancer.Load{InFlight: s.inFlight, Latency: s.estimate()}
		s.inFlight--
		answer(load)
	}
	if s.fails {
		leave()
		return
	}
	begin := func() {
		s.busy++
		f.after(time.Duration((0.5+f.bits.ExpFloat64()/2)*s.slow*float64(work)), func() {
			leave()
			if s.busy--; len(s.waiting) > 0 {
				next := s.waiting[0]
				s.waiting = s.waiting[1:]
				next()
			}
		})
	}
	if s.busy < workers {
		begin()
	} else {
		s.waiting = append(s.waiting, begin)
	}
}

// estimate is the mean with about as many calls in flight as there are now.
func (s *simulated) estimate() time.Duration {
	for away := range s.latency {
		for _, i := range []int{s.inFlight - away, s.inFlight + away} {
			if i >= 0 && i < len(s.latency) && s.latency[i] > 0 {
				return time.Duration(s.latency[i])
			}
		}
	}
	return 0
}

// share is what a server got of a fair share of the calls.
func (f *fleet) share(id string) float64 {
	sum := 0
	for _, n := range f.got {
		sum += n
	}
	return float64(f.got[id]) / float64(sum) * float64(len(f.servers))
}

// max is the most calls that were in flight at one server.
func (f *fleet) max() (most int) {
	for _, s := range f.servers {
		most = max(most, s.max)
	}
	return most
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	return sorted[int(math.Ceil(p/100*float64(len(sorted))))-1]
}

type event struct {
	at time.Duration
	do func()
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }

func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
