package balancer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// second is what a level sees in one: so many calls of a latency, and so many
// that fail.
type second struct {
	latency    time.Duration
	ok, failed float64
}

// play lets each level of a spill see the same every second.
type play struct {
	*spill
	now time.Duration
}

func newPlay(levels ...level) *play {
	for i := range levels {
		l := &levels[i]
		l.distance, l.health = Distance(i), 1
		if l.room == 0 {
			l.room = 1
		}
	}
	p := &play{newSpill(levels, nil), time.Hour}
	p.looked = p.now
	return p
}

func (p *play) run(seconds int, each ...second) {
	for range seconds {
		p.now += time.Second
		for i, s := range each {
			took := s.ok * float64(logarithm(float32(s.latency)))
			p.levels[i].remember(sample{s.ok, s.failed, took}, p.now, time.Second)
		}
		p.decide(p.now, time.Second)
	}
}

const ms = time.Millisecond

// What is passed on after a minute of the same, having begun with nothing or
// with half of the calls.
func TestWhatALevelPassesOn(t *testing.T) {
	for _, tt := range []struct {
		name       string
		own, next  second
		none, half func(float64) bool // what becomes of 0, and of 0.5
	}{
		{"equals are near again", second{10 * ms, 100, 0}, second{10 * ms, 100, 0}, is(0), is(0)},
		{"a level that is better is near again", second{5 * ms, 100, 0}, second{10 * ms, 100, 0}, is(0), is(0)},
		{"a little worse is near enough", second{13 * ms, 100, 0}, second{10 * ms, 100, 0}, is(0), is(0.5)},
		{"much worse", second{30 * ms, 100, 0}, second{10 * ms, 100, 0}, is(0.98), is(0.98)},
		{"much worse, and the next by far", second{300 * ms, 100, 0}, second{1000 * ms, 100, 0}, is(0), is(0)},
		{"half of the calls fail", second{10 * ms, 50, 50}, second{10 * ms, 100, 0}, is(0.98), is(0.98)},
		{"they fail fast", second{ms, 50, 50}, second{2 * ms, 100, 0}, is(0.98), is(0.98)},
		{"all fail", second{0, 0, 100}, second{10 * ms, 100, 0}, is(0.98), is(0.98)},
		{"all fail there", second{10 * ms, 100, 0}, second{0, 0, 100}, is(0), is(0)},
		{"all fail everywhere", second{0, 0, 100}, second{0, 0, 100}, is(0), is(0.5)},
		{"a few fail", second{10 * ms, 95, 5}, second{10 * ms, 100, 0}, is(0), is(0.5)},
		{"nothing is known of the next", second{100 * ms, 100, 0}, second{}, is(0), is(0)},
		{"nothing is known of it", second{}, second{10 * ms, 100, 0}, is(0), is(0)},
		{"three times worse, as one call of the next says", second{30 * ms, 100, 0}, second{10 * ms, 0.05, 0}, is(0), not(0.98)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlay(level{}, level{})
			p.run(60, tt.own, tt.next)
			if got := p.levels[0].passes; !tt.none(got) {
				t.Errorf("of nothing became %.2f", got)
			}
			p = newPlay(level{}, level{})
			p.levels[0].passes = 0.5
			p.run(60, tt.own, tt.next)
			if got := p.levels[0].passes; !tt.half(got) {
				t.Errorf("of a half became %.2f", got)
			}
		})
	}
}

func is(want float64) func(float64) bool {
	return func(got float64) bool { return math.Abs(got-want) < 0.021 }
}

func not(want float64) func(float64) bool {
	return func(got float64) bool { return math.Abs(got-want) > 0.1 }
}

// Whatever is seen, the shares stay shares, a level in trouble keeps a glimpse,
// and no step is longer than it may be.
func TestSpillStaysInBounds(t *testing.T) {
	bits := rand.New(rand.NewPCG(9, 10))
	for range 200 {
		levels := make([]level, 1+bits.IntN(3))
		for i := range levels {
			levels[i].room = max(glimpse, bits.Float64())
		}
		p := newPlay(levels...)
		for i := range p.levels {
			p.levels[i].health = float64(bits.IntN(3)) / 2
		}
		for range 100 {
			before := make([]float64, len(levels))
			each := make([]second, len(levels))
			for i := range each {
				before[i] = p.levels[i].passes
				each[i] = second{time.Duration(bits.Int64N(int64(time.Second) << bits.IntN(10))), float64(bits.IntN(3) * bits.IntN(100)), float64(bits.IntN(3) * bits.IntN(100))}
			}
			p.run(1, each...)
			sum := 0.0
			for i, share := range p.shares() {
				l := &p.levels[i]
				if !(share >= 0 && share <= 1) || !(l.passes >= 0 && l.passes <= 1-glimpse+1e-9) {
					t.Fatalf("share %v, passes %v", share, l.passes)
				}
				if step := l.passes - before[i]; step > mostRaised+1e-9 || step < -takenBack-1e-9 {
					t.Fatalf("passes on %v, then %v", before[i], l.passes)
				}
				sum += share
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Fatalf("shares add up to %v", sum)
			}
		}
	}
}

// Between the marks nothing moves: a level that got better by being relieved
// does not take the calls back which made it worse.
func TestNothingMovesBetweenTheMarks(t *testing.T) {
	p := newPlay(level{}, level{})
	moves := 0
	for range 600 {
		before := p.levels[0].passes
		// What it costs falls with what is passed on.
		own := time.Duration(float64(10*ms) * (2.2 - 1.8*before))
		p.run(1, second{own, 100, 0}, second{10 * ms, 50, 0})
		if p.levels[0].passes != before {
			moves++
		}
	}
	if got := p.levels[0].passes; moves > 20 || got < 0.2 || got > 0.62 {
		t.Errorf("%d moves in 600 s, and %.2f is passed on", moves, got)
	}
}

// A level of which nothing is known gets a glimpse of the calls until there were
// enough, and again after minutes.
func TestTheNextLevelIsLearned(t *testing.T) {
	p := newPlay(level{}, level{})
	share := func() float64 { return p.shares()[1] }
	p.run(1, second{10 * ms, 100, 0}, second{})
	if share() != glimpse {
		t.Errorf("nothing is known, and it gets %.3f", share())
	}
	p.run(8, second{10 * ms, 100, 0}, second{12 * ms, 2, 0})
	if share() != 0 {
		t.Errorf("enough is known, and it gets %.3f", share())
	}
	p.run(280, second{10 * ms, 100, 0}, second{})
	if share() != 0 {
		t.Errorf("what was known is believed for minutes, and it gets %.3f", share())
	}
	p.run(30, second{10 * ms, 100, 0}, second{})
	if share() != glimpse {
		t.Errorf("it was long ago, and it gets %.3f", share())
	}
}

// A level in trouble looks at once for who could help.
func TestTroubleMakesCurious(t *testing.T) {
	p := newPlay(level{}, level{}, level{})
	shares := func() string { return fmt.Sprintf("%.2f", p.shares()) }
	p.run(60, second{10 * ms, 100, 0}, second{12 * ms, 2, 0}, second{})
	p.run(20, second{10 * ms, 100, 0}, second{}, second{})
	if got := shares(); got != "[1.00 0.00 0.00]" {
		t.Fatalf("all is well: %s", got)
	}
	p.run(3, second{80 * ms, 100, 0}, second{}, second{})
	if got := p.shares()[1]; got < urgent {
		t.Errorf("the next is not looked at: %s", shares())
	}
	// The next is no better, so the last is looked at.
	p.run(3, second{80 * ms, 100, 0}, second{80 * ms, 10, 0}, second{})
	if got := p.shares()[2]; got < urgent {
		t.Errorf("the last is not looked at: %s", shares())
	}
	// That is, and calls get there through the one between.
	p.run(30, second{80 * ms, 100, 0}, second{80 * ms, 100, 0}, second{20 * ms, 50, 0})
	if got := shares(); got != "[0.02 0.02 0.96]" {
		t.Errorf("both near levels are slow: %s", got)
	}
	p.run(60, second{10 * ms, 2, 0}, second{12 * ms, 2, 0}, second{20 * ms, 100, 0})
	if got := shares(); got != "[1.00 0.00 0.00]" {
		t.Errorf("both have recovered: %s", got)
	}
}

// A level that nobody can call does not stand between others.
func TestALevelWithoutHealthIsPassedBy(t *testing.T) {
	p := newPlay(level{}, level{}, level{})
	p.levels[1].health = 0
	p.run(60, second{80 * ms, 100, 0}, second{}, second{20 * ms, 50, 0})
	if got := fmt.Sprintf("%.2f", p.shares()); got != "[0.02 0.00 0.98]" {
		t.Errorf("got %s", got)
	}
}

// What the capacity says is where it begins; what is measured goes beyond.
func TestRoomIsABeginning(t *testing.T) {
	p := newPlay(level{room: 0.2}, level{})
	if got := p.shares()[0]; math.Abs(got-0.2) > 1e-9 {
		t.Errorf("it begins with %.2f", got)
	}
	p.run(60, second{}, second{})
	if got := p.levels[0].passes; math.Abs(got-0.8) > 1e-9 {
		t.Errorf("without calls it went to %.2f", got)
	}
	p.run(20, second{10 * ms, 100, 0}, second{10 * ms, 100, 0})
	if got := p.levels[0].passes; math.Abs(got-0.4) > 0.03 {
		t.Errorf("after 20 s among equals: %.2f", got)
	}
	p.run(40, second{10 * ms, 100, 0}, second{10 * ms, 100, 0})
	if got := p.levels[0].passes; got != 0 {
		t.Errorf("after a minute among equals: %.2f", got)
	}
	p.run(60, second{30 * ms, 100, 0}, second{10 * ms, 100, 0})
	p.run(200, second{}, second{})
	if got := p.levels[0].passes; math.Abs(got-0.8) > 1e-9 {
		t.Errorf("long without calls, it stays at %.2f", got)
	}
}

// A new list of nodes takes over what was learned.
func TestSpillIsTakenOver(t *testing.T) {
	nodes := inZones(map[string]int{"eu-a": 2, "eu-b": 2})
	for _, n := range nodes {
		n.tally.Store(newTally(0, nil))
		n.watch()
	}
	call := func(n *Node, times int, now time.Duration) {
		for range times {
			n.Start(now-8*ms).Done(now, Success)
		}
	}
	s := newSpill([]level{{distance: SameZone, nodes: nodes[:2], room: 1, health: 1}, {distance: SameRegion, nodes: nodes[2:], room: 1, health: 1}}, nil)
	now := time.Hour
	s.look(now)
	call(nodes[0], 10, now)
	call(nodes[1], 20, now)
	s.levels[0].passes, s.levels[0].past, s.levels[1].learns = 0.5, 7, glimpse

	// One node leaves, and another comes. Its earlier calls are none of ours, those
	// of the one that left are.
	call(nodes[3], 1000, now)
	s = newSpill([]level{{distance: SameZone, nodes: nodes[1:3], room: 0.5, health: 1}, {distance: SameRegion, nodes: nodes[3:], room: 1, health: 1}}, s)
	call(nodes[1], 1, now)
	call(nodes[2], 2, now)
	if l := s.levels[0]; l.past != 7 || l.passes != 0.75 || s.levels[1].learns != glimpse {
		t.Errorf("past %v, passes %v, and learns %v", l.past, l.passes, s.levels[1].learns)
	}
	s.look(now + time.Second)
	if got := s.levels[0].ok; got != 33 {
		t.Errorf("%v calls are remembered, want 33", got)
	}
	if got := s.levels[0].price().cost; math.Abs(got/float64(8*ms)-1) > 0.09 {
		t.Errorf("calls of 8 ms cost %v", time.Duration(got))
	}
	// Two levels become one, and two again.
	s = newSpill([]level{{distance: SameRegion, nodes: nodes, room: 1, health: 1}}, s)
	if got := s.shares(); len(got) != 1 || got[0] != 1 {
		t.Errorf("shares of one level: %v", got)
	}
}

// Clocks that stand still, go back or jump, and looks that come late.
func TestLooksAtOddMoments(t *testing.T) {
	n := NewNode(discovery.Instance{ID: "a"}, 0)
	n.tally.Store(newTally(0, nil))
	n.watch()
	s := newSpill([]level{{nodes: []*Node{n}, room: 1, health: 1}, {distance: 1, room: 1, health: 1}}, nil)
	calls := func() float64 { return s.levels[0].calls() }
	for _, tt := range []struct {
		name string
		now  time.Duration
		want float64 // calls that are remembered, of one between any two looks
	}{
		{"the first", 0, 0},
		{"one second later", time.Second, 1},
		{"at the same moment", time.Second, 1},
		{"back by a little", 900 * ms, 1},
		{"a second later", 2 * time.Second, 2},
		{"after a pause", time.Minute, 2},
		{"a second later", time.Minute + time.Second, 3},
	} {
		s.look(tt.now)
		if got := math.Round(calls()); got != tt.want {
			t.Errorf("%s: %v calls, want %v", tt.name, got, tt.want)
		}
		n.Start(tt.now).Done(tt.now+ms, Success)
	}
}

// Calls that do not end are seen: those that have waited for more than a second
// count like ended ones, and again every second.
func TestCallsThatWaitAreSeen(t *testing.T) {
	n := NewNode(discovery.Instance{ID: "a"}, 0)
	now := time.Hour
	n.Start(now)
	n.Start(now)
	n.StartStream(now)
	n.Start(now + 1900*ms)
	got := late([]*Node{n}, tickOf(now+2*time.Second))
	if got.ok != 2 || math.Abs(got.price().cost/2e9-1) > 0.09 {
		t.Errorf("%v calls of %v", got.ok, time.Duration(got.price().cost))
	}
}

// A sum of sums may wrap; what is between two moments is right.
func TestBillsWrap(t *testing.T) {
	nodes := inZones(map[string]int{"eu-a": 3})
	for _, n := range nodes {
		n.tally.Store(newTally(0, nil))
		n.tally.Load().toll.went.Store(math.MaxUint64 / 2)
		n.tally.Load().toll.failed.Store(math.MaxUint32 - 1)
	}
	before := billOf(nodes)
	for _, n := range nodes {
		for range 1000 {
			n.tally.Load().toll.pay(float32(4*ms), false)
			n.tally.Load().toll.pay(1, true)
			n.tally.Load().toll.pay(0, false) // a stream
		}
	}
	s := billOf(nodes).since(before)
	if s.ok != 3000 || s.failed != 3000 || math.Abs(s.took/3000/1024-math.Log2(4e6)) > 0.09 {
		t.Errorf("%+v", s)
	}
}

// The logarithm is that of a float's bits: within 6 % of the number itself.
func TestLogarithm(t *testing.T) {
	for elapsed := 1.0; elapsed < 1e14; elapsed *= 1.37 {
		if got := math.Exp2(float64(logarithm(float32(elapsed)))/1024) / elapsed; got < 0.94 || got > 1.001 {
			t.Errorf("of %v: %v times that", elapsed, got)
		}
	}
	if logarithm(0) != 0 || logarithm(0.3) != 0 {
		t.Error("below a nanosecond it is not 0")
	}
}
