package balancer

import (
	"math"
	"slices"
	"sync"
	"time"
)

// What a spill goes by. The marks are ratios of costs, so that they hold for
// services of any speed. The simulations in spill_test.go show what each is good
// for.
const (
	// highMark is how many times dearer than calls that go further those of a level
	// must be so that more are passed on, and lowMark how many times they may be
	// when fewer are. Both are above one: being near is worth something, and would
	// else not be had back among equals.
	highMark = 1.5
	lowMark  = 1.1
	// mostRaised is by how much more is passed on after a second at most, and
	// takenBack by how much less. A level in trouble is left within seconds; it is
	// entered again so slowly that all clients of a zone, who do the same at the same
	// time, see the effect before they go too far.
	mostRaised = 0.30
	takenBack  = 0.02
	// glimpse is the share of calls that shows how a level is that gets no others,
	// and urgent that of calls that a level in trouble has to lose.
	glimpse = 0.02
	urgent  = 0.10
	// trouble is how many times dearer than in the past calls are then.
	trouble = 1.5

	// Calls are remembered for the time of window, or longer, at most longWindow,
	// until there are enough. What they cost in the past is what they cost at the
	// least, forgotten within pastWindow.
	enough     = 12
	window     = 3 * time.Second
	longWindow = time.Minute
	pastWindow = 10 * time.Minute
	// knownFor is how long it is believed what a level cost that gets no calls, and
	// knownInTrouble for how long where it is to help another.
	knownFor       = 5 * time.Minute
	knownInTrouble = 10 * time.Second
	// Two looks so far apart tell something; after more, the sums of a toll may
	// have wrapped.
	shortestPause = 500 * time.Millisecond
	longestPause  = 10 * time.Second
)

// longAgo was before everything.
const longAgo = math.MinInt64 / 2

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

// newSpill returns the spill of levels, given with their distance, nodes, room
// and health. It takes over what the one before knows, nil if there is none.
func newSpill(levels []level, before *spill) *spill {
	s := &spill{levels: levels, looked: longAgo}
	for i := range levels {
		l := &levels[i]
		l.passes, l.known, l.bill = 1-l.room, longAgo, billOf(l.nodes)
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
		l.passes = min(1-glimpse, 1-(1-b.passes)*min(1, l.room/b.room))
	}
	return s
}

// look compares what calls cost since the last look.
func (s *spill) look(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := now - s.looked
	switch {
	case s.looked == longAgo || pause < 0 || pause > longestPause:
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

// price is that of the sample, beside what it was in the past.
func (l *level) price() price {
	p := l.sample.price()
	p.past = l.past
	return p
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
			raise := mostRaised * excess * (1 - l.passes)
			if further.inTrouble() {
				raise = min(takenBack, raise)
			}
			l.passes = min(1-glimpse, l.passes+step*raise)
			l.scale(0.5) // it was under another division of the calls
		case !own.known() || !further.known():
			l.passes = max(min(l.passes, 1-l.room), l.passes-step*takenBack)
		case own.cost < lowMark*further.cost:
			l.passes = max(0, l.passes-step*takenBack)
		}
	}
	s.learn(now)
}

// beyond is what calls cost that level i passes on, where most of those end.
func (s *spill) beyond(i int) (p price) {
	for j := len(s.levels) - 1; j > i; j-- {
		if l := &s.levels[j]; l.health > 0 && (!p.known() || l.health*(1-l.passes) >= 0.5) {
			p = l.price()
		}
	}
	return p
}

// learn sends a glimpse to the levels of which too little is known: to the second
// now and then, since a first that was always bad has no better past to show
// it, and to others where nearer ones are in trouble and no help to each other.
func (s *spill) learn(now time.Duration) {
	inTrouble := s.levels[0].price().inTrouble()
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
