package balancer_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// world is a service with instances in several zones, which really get slower
// with what they have to do, and clients in zones that do not know of each
// other.
type world struct {
	servers map[string]*server // by ID
	clients []*traffic
	now     time.Duration
	reports map[string]*report // by the zone of the clients
}

// server works on some calls at once, and lets others wait.
type server struct {
	zone string
	free []time.Duration // when each worker is

	mean  time.Duration // of the work on a call
	tails float64       // 0: waiting times; else lognormal of that deviation
	fails float64       // share of calls
	hangs bool
}

// workersOfServer do 200 calls a second of 10 ms.
const workersOfServer = 2

// newWorld has so many instances in each zone.
func newWorld(instances map[string]int) (*world, discovery.Snapshot) {
	w := &world{servers: map[string]*server{}, now: start, reports: map[string]*report{}}
	s := discovery.Snapshot{Service: "orders", Revision: 1, State: discovery.Live}
	for _, zone := range slices.Sorted(maps.Keys(instances)) {
		for n := range instances[zone] {
			region, _, _ := strings.Cut(zone, "-")
			id := fmt.Sprintf("%s-%02d", zone, n)
			s.Instances = append(s.Instances, &discovery.Instance{ID: id, Service: "orders", Addr: fmt.Sprintf("10.0.%d.%d:80", len(w.servers), n+1), Region: region, Zone: zone})
			w.servers[id] = &server{zone: zone, free: make([]time.Duration, workersOfServer), mean: 10 * time.Millisecond}
		}
	}
	return w, s
}

// join adds clients of a zone that make so many calls a second each.
func (w *world) join(t *testing.T, s discovery.Snapshot, zone string, clients, rate int) {
	t.Helper()
	if underRace {
		t.Skip("one goroutine plays it all")
	}
	w.reports[zone] = new(report)
	region, _, _ := strings.Cut(zone, "-")
	for range clients {
		c := newTraffic(balancing(t, balancer.Balancing{Locality: balancer.Locality{Region: region, Zone: zone}}), rate)
		c.pool.Update(s, start)
		n := uint64(len(w.clients))
		c.bits = rand.New(rand.NewPCG(n, n))
		c.now = start + time.Duration(c.bits.Int64N(int64(time.Second)))
		c.serve = func(n *balancer.Node, bits *rand.Rand) (time.Duration, balancer.Result) {
			there := w.servers[n.ID()]
			took, result := there.serve(c.now, bits)
			took += trip(zone, there.zone)
			w.reports[zone].add(there.zone, took, result)
			return took, result
		}
		w.clients = append(w.clients, c)
	}
}

// trip is how long a call is on its way.
func trip(from, to string) time.Duration {
	a, _, _ := strings.Cut(from, "-")
	b, _, _ := strings.Cut(to, "-")
	switch {
	case from == to:
		return time.Millisecond / 2
	case a == b:
		return time.Millisecond
	}
	return 20 * time.Millisecond
}

func (s *server) serve(now time.Duration, bits *rand.Rand) (time.Duration, balancer.Result) {
	switch {
	case s.hangs:
		return 20 * time.Second, balancer.Failure
	case bits.Float64() < s.fails:
		return time.Millisecond, balancer.Failure
	}
	worker := 0
	for i := range s.free {
		if s.free[i] < s.free[worker] {
			worker = i
		}
	}
	begin := max(now, s.free[worker])
	if begin-now > time.Second {
		return time.Second, balancer.Failure // it sheds load
	}
	work := time.Duration(float64(s.mean) * bits.ExpFloat64())
	if s.tails > 0 {
		work = time.Duration(float64(s.mean) * math.Exp(s.tails*bits.NormFloat64()-s.tails*s.tails/2))
	}
	s.free[worker] = begin + work
	return begin + work - now, balancer.Success
}

// each lets something happen to all servers of a zone.
func (w *world) each(zone string, change func(*server)) {
	for _, s := range w.servers {
		if s.zone == zone {
			change(s)
		}
	}
}

// run plays on for d, and reports on the clients of eu-a.
func (w *world) run(d time.Duration) *report {
	for zone := range w.reports {
		w.reports[zone] = &report{to: map[string]int{}}
	}
	for end := w.now + d; w.now < end; {
		w.now += 10 * time.Millisecond
		for _, c := range w.clients {
			if c.now < w.now {
				c.run(w.now - c.now)
			}
		}
	}
	return w.reports["eu-a"]
}

// report is where the calls of some clients went, and how.
type report struct {
	to            map[string]int // by zone
	calls, failed int
	latencies     []time.Duration // of those that did not fail
}

func (r *report) add(zone string, took time.Duration, result balancer.Result) {
	r.calls++
	r.to[zone]++
	if result == balancer.Success {
		r.latencies = append(r.latencies, took)
	} else {
		r.failed++
	}
}

// share returns how much of the calls went to a zone.
func (r *report) share(zone string) float64 { return float64(r.to[zone]) / float64(r.calls) }

func (r *report) p99() time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	slices.Sort(r.latencies)
	return r.latencies[len(r.latencies)*99/100]
}

func (r *report) String() string {
	var shares []string
	for _, zone := range slices.Sorted(maps.Keys(r.to)) {
		shares = append(shares, fmt.Sprintf("%s %.3f", zone, r.share(zone)))
	}
	return fmt.Sprintf("%s, failed %.3f, p99 %v", strings.Join(shares, ", "), float64(r.failed)/float64(r.calls), r.p99().Round(time.Millisecond))
}
