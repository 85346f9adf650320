package balancer

import (
	"math"
	"slices"
	"sync"
	"time"
)

// The marks of a spill. They are told as ratios of costs, so that they hold for
// services of any speed. The simulations in spill_test.go show what they do.
const (
	// highMark is how many times dearer than further calls those of a level must
	// be so that more are passed on, lowMark how many times so that fewer are.
	// Both are above one, for being near is worth something, and would else never
	// be had back among equals.
	highMark = 1.5
	lowMark  = 1.1
	// mostRaised is how much more is passed on after a second at most, and
	// takenBack how much less. Slow is safe: all clients of a zone do the same at
	// the same time, and see the effect after a window.
	mostRaised = 0.20
	takenBack  = 0.02
	// glimpse is the share of calls that shows how a level is.
	glimpse = 0.02
	urgent  = 0.10
	// deviation of the logarithms of latencies: that of waiting times is 1.28.
	deviation = 1.3
	// enough calls make a sample that tells something.
	enough = 12

	// window is how long a call is remembered where there are enough, and
	// longWindow where there are few.
	window     = 5 * time.Second
	longWindow = time.Minute
	// pastWindow is how long it takes for what is dearer to become the past.
	pastWindow = 10 * time.Minute
	// knownFor is how long it is believed what a level cost that gets no calls,
	// knownInTrouble for how long where it is to help another.
	knownFor       = 5 * time.Minute
	knownInTrouble = 10 * time.Second
	// trouble is how many times dearer than in the past calls of a level in trouble
	// are.
	trouble = 1.5
	// Two looks so far apart tell something; after more, the sums of a toll may
	// have wrapped.
	shortestPause = 500 * time.Millisecond
	longestPause  = 10 * time.Second
)

// never was before everything.
const never = math.MinInt64 / 2

// spill decides by what calls cost which share of the calls each of several
// levels, the nearest first, passes on to the next.
type spill struct {
	mu     sync.Mutex // guards the rest; no call takes it
	levels []level
	looked time.Duration // when
}

// level is some nodes, and what calls to them cost.
type level struct {
	distance Distance
	nodes    []*Node
	bill     bill    // as of the last look
	unread   sample  // of nodes that were those of the level before
	room     float64 // the share of the calls that come to it that it should have room for
	health   float64

	sample               // of the recent past
	past   float64       // cost; 0: not known
	known  time.Duration // when enough was; long ago, if ever

	passes float64 // the share that it passes on
	learns float64 // the share of all calls that go to it only to see how it is
}

// sample is what some calls took.
type sample struct {
	ok, failed float64 // calls
	took       float64 // the sum of the logarithms, of those that went well
}

func (s *sample) add(o sample) {
	s.ok += o.ok
	s.failed += o.failed
	s.took += o.took
}

func (s *sample) scale(by float64) {
	s.ok *= by
	s.failed *= by
	s.took *= by
}

func (s *sample) calls() float64 { return s.ok + s.failed }

// price is what a call is expected to cost, in nanoseconds, and how many calls
// say so.
type price struct{ cost, calls float64 }

// price is the geometric mean of the latencies, which a few calls that take very
// long hardly move. Failures come on top of it as in P2CEWMA; where all fail,
// nothing is dearer.
func (s *sample) price() price {
	if s.ok <= 0 {
		return price{math.Inf(1), s.calls()}
	}
	share := s.ok / s.calls()
	return price{math.Exp2(s.took/s.ok/(1<<(23-logarithmShift))) / (share * share), s.calls()}
}

func (p price) known() bool { return p.calls >= 1 }

// atLeast and atMost are what the price is, give or take the deviation of a mean
// of so many.
func (p price) atLeast() float64 { return p.cost * math.Exp(-deviation/math.Sqrt(p.calls)) }
func (p price) atMost() float64  { return p.cost * math.Exp(deviation/math.Sqrt(p.calls)) }

// newSpill returns the spill of levels, given with their distance, nodes, room
// and health, and takes over what is known from the one before, nil if there is none.
func newSpill(levels []level, before *spill) *spill {
	s := &spill{levels: levels, looked: never}
	for i := range levels {
		l := &levels[i]
		l.passes, l.known, l.bill = 1-l.room, never, billOf(l.nodes)
	}
	if before == nil {
		return s
	}
	before.mu.Lock()
	defer before.mu.Unlock()
	s.looked = before.looked
	for i := range levels {
		l := &levels[i]
		at := slices.IndexFunc(before.levels, func(b level) bool { return b.distance == l.distance })
		if at < 0 {
			continue
		}
		b := &before.levels[at]
		l.sample, l.past, l.known, l.learns = b.sample, b.past, b.known, b.learns
		l.unread = b.unread
		l.unread.add(billOf(b.nodes).since(b.bill))
		// What calls showed holds, save that a level which lost capacity keeps less.
		l.passes = 1 - (1-b.passes)*min(1, l.room/b.room)
	}
	return s
}

// look compares what calls cost since the last look.
func (s *spill) look(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := now - s.looked
	switch {
	case s.looked == never || pause < 0 || pause > longestPause:
		s.forget(now)
		return
	case pause < shortestPause:
		return
	}
	s.looked = now
	for i := range s.levels {
		s.levels[i].measure(now, pause)
	}
	s.decide(now, pause)
}

// forget passes over what happened since the last look.
func (s *spill) forget(now time.Duration) {
	s.looked = now
	for i := range s.levels {
		l := &s.levels[i]
		l.bill, l.unread = billOf(l.nodes), sample{}
	}
}

func (l *level) measure(now, pause time.Duration) {
	b := billOf(l.nodes)
	news := b.since(l.bill)
	news.add(l.unread)
	news.add(late(l.nodes, tickOf(now)))
	l.bill, l.unread = b, sample{}
	l.remember(news, now, pause)
}

// remember adds news to what is remembered, and lets that fade: for as short a
// while as leaves enough of it.
func (l *level) remember(news sample, now, pause time.Duration) {
	short, long := fade(pause, window), fade(pause, longWindow)
	l.scale(min(long, max(short, enough/max(l.calls(), enough))))
	l.add(news)
	p := l.price()
	if p.calls >= enough {
		l.known = now
	}
	switch {
	case !p.known() || math.IsInf(p.cost, 1):
	case l.past == 0:
		l.past = p.cost
	case p.cost < l.past:
		l.past += (p.cost - l.past) * (1 - long)
	default:
		l.past += (p.cost - l.past) * (1 - fade(pause, pastWindow))
	}
}

// fade is what is left after a while of something that is remembered for so
// long.
func fade(after, remembered time.Duration) float64 {
	return math.Exp(-float64(after) / float64(remembered))
}

// decide takes the steps that the prices of now suggest.
func (s *spill) decide(now, pause time.Duration) {
	step := min(2, pause.Seconds())
	for i := range s.levels[:len(s.levels)-1] {
		l := &s.levels[i]
		own, further := l.price(), s.beyond(i)
		switch {
		case own.known() && further.known() && own.atLeast() > highMark*further.atMost():
			excess := 1 - highMark*further.cost/own.cost
			l.passes = min(1-glimpse, max(l.passes, l.passes+step*mostRaised*excess))
			l.scale(0.5)
		case !own.known() || !further.known():
			l.passes = max(min(l.passes, 1-l.room), l.passes-step*takenBack)
		case own.cost < lowMark*further.cost:
			l.passes = max(0, l.passes-step*takenBack)
		}
	}
	s.learn(now)
}

// beyond is what a call costs that level i passes on.
func (s *spill) beyond(i int) (p price) {
	for j := len(s.levels) - 1; j > i; j-- {
		l := &s.levels[j]
		switch own := l.price(); {
		case l.health == 0: // it gets none
		case !p.known() || !own.known():
			p = own
		default:
			kept := l.health * (1 - l.passes)
			if p.cost = p.cost*(1-kept) + own.cost*kept; kept > 0.5 {
				p.calls = own.calls
			}
		}
	}
	return p
}

// learn sends a glimpse to the levels of which too little is known: to the second
// now and then, since a first that was always bad has no better past to show
// it, and to others where nearer ones are in trouble and no help to each other.
func (s *spill) learn(now time.Duration) {
	inTrouble := s.levels[0].past > 0 && s.levels[0].price().atLeast() > trouble*s.levels[0].past
	for i := range s.levels[1:] {
		near, l := &s.levels[i], &s.levels[i+1]
		if i > 0 {
			own := near.price()
			inTrouble = inTrouble && own.known() && own.cost*highMark >= s.levels[i-1].price().cost
		}
		age := now - l.known
		switch l.learns = 0; {
		case l.health == 0:
		case inTrouble && age > knownInTrouble:
			l.learns = urgent
		case i == 0 && age > knownFor:
			l.learns = glimpse
		}
	}
}

// shares returns the share of the calls that each level gets.
func (s *spill) shares() []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.levels) - 1
	health := make([]float64, len(s.levels))
	learns := 0.0
	for i := range s.levels {
		l := &s.levels[i]
		if health[i] = l.health; i < last {
			health[i] *= 1 - l.passes
		}
		learns += l.learns
	}
	shares, _ := fill(health)
	for i := range shares {
		shares[i] = shares[i]*(1-learns) + s.levels[i].learns
	}
	return shares
}
