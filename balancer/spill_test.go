package balancer_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// The tests here play services whose zones are in trouble of many kinds, for
// some minutes and many clients. They are what the numbers in spill.go were
// chosen by. Instances do 200 calls a second at the most, of 10 ms.

// slower makes the work of all instances of a zone take so many times longer.
func (w *world) slower(zone string, by time.Duration) {
	w.each(zone, func(s *server) { s.mean = by * 10 * time.Millisecond })
}

// failing makes them fail a share of the calls.
func (w *world) failing(zone string, share float64) {
	w.each(zone, func(s *server) { s.fails = share })
}

// expect plays on, and then tells what is wrong with the report of a while.
func (w *world) expect(t *testing.T, what string, after, d time.Duration, good func(*report) bool) {
	t.Helper()
	w.run(after)
	r := w.run(d)
	if t.Logf("%s: %s", what, r); !good(r) {
		t.Errorf("%s: that is not what was to be expected", what)
	}
}

const (
	soon   = 20 * time.Second
	minute = time.Minute
)

func TestCallsStayInTheirZone(t *testing.T) {
	w, s := newWorld(map[string]int{"eu-a": 3, "eu-b": 6})
	w.join(t, s, "eu-a", 10, 30)
	w.expect(t, "once the other zone is known", minute, minute, func(r *report) bool { return r.share("eu-a") > 0.995 })
	w.expect(t, "five minutes later, when that is old", 3*minute, minute, func(r *report) bool { return r.share("eu-a") > 0.97 })
}

// Twice as many calls as the zone can take: half of them go on, with no zone
// overloaded and no end to it. What is passed on stays the same for minutes.
func TestOverloadedZonePassesOnTheExcess(t *testing.T) {
	w, s := newWorld(map[string]int{"eu-a": 3, "eu-b": 6})
	w.join(t, s, "eu-a", 10, 120)
	w.expect(t, "soon", soon, soon, func(r *report) bool { return r.p99() < 200*time.Millisecond && r.failed == 0 })
	for range 4 {
		w.expect(t, "for good", minute/2, minute/2, func(r *report) bool {
			share := r.share("eu-a")
			return share > 0.35 && share < 0.46 && r.p99() < 100*time.Millisecond && r.failed == 0
		})
	}
}

// The same while the other zone has clients of its own, and both together little
// to spare. Without a look at how the other zone did before, each zone's clients
// would flee into the other.
func TestZonesDoNotSwapTheirCalls(t *testing.T) {
	for _, tt := range []struct {
		name               string
		instances          map[string]int
		ours, theirs       int // calls a second of ten clients each
		share, theirsShare float64
	}{
		{"ours is overloaded", map[string]int{"eu-a": 3, "eu-b": 6}, 90, 70, 0.55, 0.95},
		{"ours is overloaded, and theirs nearly", map[string]int{"eu-a": 3, "eu-b": 6}, 70, 100, 0.70, 0.90},
		{"both nearly", map[string]int{"eu-a": 3, "eu-b": 3}, 57, 57, 0.90, 0.90},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, s := newWorld(tt.instances)
			w.join(t, s, "eu-a", 10, tt.ours)
			w.join(t, s, "eu-b", 10, tt.theirs)
			w.expect(t, "after a minute", minute, 2*minute, func(r *report) bool {
				theirs := w.reports["eu-b"]
				t.Logf("of the others: %s", theirs)
				return r.share("eu-a") > tt.share && theirs.share("eu-b") > tt.theirsShare && r.failed+theirs.failed == 0 && r.p99() < 300*time.Millisecond
			})
		})
	}
}

// A zone in trouble is left within seconds, and had back within two minutes.
func TestZoneInTrouble(t *testing.T) {
	for _, tt := range []struct {
		name         string
		begin, end   func(w *world)
		leftWithin10 float64 // the share of calls that go on, in the second ten seconds
	}{
		{"slow", func(w *world) { w.slower("eu-a", 5) }, func(w *world) { w.slower("eu-a", 1) }, 0.8},
		{"half of the calls fail", func(w *world) { w.failing("eu-a", 0.5) }, func(w *world) { w.failing("eu-a", 0) }, 0.7},
		{"nothing is answered", func(w *world) { w.each("eu-a", func(s *server) { s.hangs = true }) }, func(w *world) { w.each("eu-a", func(s *server) { s.hangs = false }) }, 0.9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, s := newWorld(map[string]int{"eu-a": 3, "eu-b": 6})
			w.join(t, s, "eu-a", 10, 30)
			w.expect(t, "well", soon, soon, func(r *report) bool { return r.share("eu-a") > 0.95 })
			tt.begin(w)
			w.expect(t, "in trouble", soon/2, soon/2, func(r *report) bool { return r.share("eu-b") > tt.leftWithin10 })
			w.expect(t, "for long", soon, minute, func(r *report) bool {
				return r.share("eu-b") > 0.9 && r.share("eu-a") > 0.01 && r.p99() < 150*time.Millisecond
			})
			tt.end(w)
			w.expect(t, "well again", 2*minute, soon, func(r *report) bool { return r.share("eu-a") > 0.9 })
		})
	}
}

// Nothing is gained by going where it is as bad.
func TestTroubleEverywhereIsNoReasonToGo(t *testing.T) {
	w, s := newWorld(map[string]int{"eu-a": 3, "eu-b": 6})
	w.join(t, s, "eu-a", 10, 10)
	w.run(minute)
	w.slower("eu-a", 3)
	w.slower("eu-b", 3)
	w.expect(t, "both are slow", soon, minute, func(r *report) bool { return r.share("eu-a") > 0.85 })
	w.failing("eu-a", 0.3)
	w.failing("eu-b", 0.3)
	w.expect(t, "and fail", soon, minute, func(r *report) bool { return r.share("eu-a") > 0.8 })
}

// One instance, and the clients of a third of all: it gets what it can take from
// the first second on.
func TestOneInstanceForManyClients(t *testing.T) {
	w, s := newWorld(map[string]int{"eu-a": 1, "eu-b": 10, "eu-c": 10})
	w.join(t, s, "eu-a", 40, 10)
	for _, after := range []time.Duration{0, minute, minute} {
		w.expect(t, "it is not overloaded", after, soon, func(r *report) bool {
			return r.share("eu-a") > 0.2 && r.share("eu-a") < 0.42 && r.p99() < 120*time.Millisecond && r.failed == 0
		})
	}
}

// Latencies of which one in a hundred is 150 times the median say little by
// their mean, and few calls say little anyway.
func TestChanceIsNoReasonToGo(t *testing.T) {
	w, s := newWorld(map[string]int{"eu-a": 3, "eu-b": 6})
	for _, server := range w.servers {
		server.tails = 2
	}
	w.join(t, s, "eu-a", 10, 20)
	w.expect(t, "most calls stay", soon, 3*minute, func(r *report) bool { return r.share("eu-a") > 0.9 })
}

// Both near zones are in trouble; the other region, far as it is, is not.
func TestTroubleOfARegion(t *testing.T) {
	w, s := newWorld(map[string]int{"eu-a": 3, "eu-b": 3, "us-a": 6})
	w.join(t, s, "eu-a", 10, 20)
	w.expect(t, "well", minute, soon, func(r *report) bool { return r.share("us-a") < 0.005 })
	w.slower("eu-a", 10)
	w.slower("eu-b", 10)
	w.expect(t, "in trouble", minute, minute, func(r *report) bool { return r.share("us-a") > 0.7 })
	w.slower("eu-a", 1)
	w.slower("eu-b", 1)
	w.expect(t, "well again", 2*minute, soon, func(r *report) bool { return r.share("eu-a") > 0.9 && r.share("us-a") < 0.01 })
}

// When all instances of a zone are gone its calls go on at once, and are back
// with them.
func TestZoneThatIsGone(t *testing.T) {
	w, s := newWorld(map[string]int{"eu-a": 3, "eu-b": 6})
	w.join(t, s, "eu-a", 1, 100)
	w.run(soon)
	c := w.clients[0]
	without := s
	without.Instances = s.Instances[3:]
	c.pool.Update(without, c.now)
	w.expect(t, "gone", 0, soon, func(r *report) bool { return r.share("eu-b") == 1 })
	c.pool.Update(s, c.now)
	w.expect(t, "back", soon, soon, func(r *report) bool { return r.share("eu-a") > 0.95 })
}

// A zone that is told apart is worth more than one that is not: nobody who says
// nothing of a place is preferred, or avoided.
func TestRegistryWithoutZones(t *testing.T) {
	w, s := newWorld(map[string]int{"eu-a": 3, "eu-b": 3})
	for _, i := range s.Instances[3:] {
		i.Region, i.Zone = "", "" // another registry told of these
	}
	w.join(t, s, "eu-a", 10, 30)
	w.expect(t, "calls stay where it is near for sure", minute, minute, func(r *report) bool { return r.share("eu-a") > 0.98 })
	w, s = newWorld(map[string]int{"eu-a": 3, "eu-b": 3})
	for _, i := range s.Instances {
		i.Region, i.Zone = "", ""
	}
	w.join(t, s, "eu-a", 10, 30)
	w.expect(t, "nobody is preferred", soon, minute, func(r *report) bool { return r.share("eu-a") > 0.4 && r.share("eu-a") < 0.6 })
	if parts := w.clients[0].pool.View().Choice("").Parts(); len(parts) != 1 || parts[0].Distance != balancer.Elsewhere {
		t.Errorf("parts %+v", parts)
	}
}
