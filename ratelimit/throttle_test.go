package ratelimit_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// backend is a service that accepts so many requests per second, and refuses what
// is beyond.
type backend struct {
	capacity float64
	tokens   float64
	filled   time.Duration
}

func (b *backend) accepts(now time.Duration) bool {
	b.tokens = min(b.tokens+b.capacity*(now-b.filled).Seconds(), b.capacity/10)
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// demand is calls that come at random moments.
type demand struct {
	throttles []*ratelimit.Throttle
	random    *rand.Rand
	now       time.Duration
	backend   *backend
	takes     time.Duration // from a request to its end
	priority  func() ratelimit.Priority
	ends      []end
	sent      [ratelimit.NumberOfPriorities]int
	asked     [ratelimit.NumberOfPriorities]int
}

type end struct {
	at       time.Duration
	of       *ratelimit.Throttle
	p        ratelimit.Priority
	accepted bool
}

func newDemand(t *testing.T, clients int, capacity float64, c ratelimit.ThrottleConfig) *demand {
	d := &demand{now: -time.Minute, random: rand.New(rand.NewPCG(1, 2)), backend: &backend{capacity: capacity, filled: -time.Minute}, takes: 20 * time.Millisecond,
		priority: func() ratelimit.Priority { return ratelimit.Default }}
	for range clients {
		throttle, err := ratelimit.NewThrottle(c)
		if err != nil {
			t.Fatal(err)
		}
		d.throttles = append(d.throttles, throttle)
	}
	return d
}

// run has calls come at a rate for a while, and returns how many were sent and how
// many of those were accepted, per second.
func (d *demand) run(rate float64, for_ time.Duration) (sent, accepted float64) {
	until, seconds := d.now+for_, for_.Seconds()
	d.sent, d.asked = [3]int{}, [3]int{}
	for {
		d.now += time.Duration(d.random.ExpFloat64() / rate * float64(time.Second))
		if d.now >= until {
			d.now = until
			return sent / seconds, accepted / seconds
		}
		for len(d.ends) > 0 && d.ends[0].at <= d.now {
			d.ends[0].of.Done(d.ends[0].at, d.ends[0].p, d.ends[0].accepted)
			d.ends = d.ends[1:]
		}
		throttle, p := d.throttles[d.random.IntN(len(d.throttles))], d.priority()
		d.asked[p.Index()]++
		if !throttle.Allow(d.now, p, d.random.Uint64()) {
			continue
		}
		sent++
		d.sent[p.Index()]++
		ok := d.backend.accepts(d.now)
		if ok {
			accepted++
		}
		d.ends = append(d.ends, end{d.now + d.takes, throttle, p, ok})
	}
}

// SRE book, chapter 21: K requests reach the service for each that it accepts.
func TestThrottlingSettlesAtKTimesWhatIsAccepted(t *testing.T) {
	for _, c := range []struct {
		name            string
		clients         int
		capacity, times float64
		k               float64
	}{
		{"twice the capacity, K 2: nothing is held back", 1, 200, 2, 2},
		{"three times", 1, 200, 3, 2},
		{"ten times", 1, 200, 10, 2},
		{"ten times, many clients", 20, 2000, 10, 2},
		{"three times, few calls", 1, 50, 3, 2},
		{"ten times, K 1.5", 1, 200, 10, 1.5},
		{"three times, K 1.1", 1, 200, 3, 1.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDemand(t, c.clients, c.capacity, ratelimit.ThrottleConfig{K: c.k})
			d.run(c.capacity*c.times, 20*time.Second)
			sent, accepted := d.run(c.capacity*c.times, time.Minute)
			want := min(c.k, c.times) * accepted
			if math.Abs(sent/want-1) > 0.05 || accepted < 0.97*c.capacity {
				t.Errorf("%.0f per second are sent and %.0f accepted: want %.0f, within 5 %%", sent, accepted, want)
			}
		})
	}
}

func TestThrottlingEndsSecondsAfterAnOverload(t *testing.T) {
	for _, clients := range []int{1, 10} {
		d := newDemand(t, clients, 200, ratelimit.ThrottleConfig{})
		d.run(2000, time.Minute)
		d.run(100, 5*time.Second)
		if sent, _ := d.run(100, 20*time.Second); d.asked[1] != d.sent[1] {
			t.Errorf("%d clients: five seconds after, %.1f of %.1f calls per second are sent", clients, sent, float64(d.asked[1])/20)
		}
	}
}

func TestWhatAServiceTakesIsNotHeldBack(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(*demand)
	}{
		{"a load within the capacity", func(d *demand) { d.run(150, time.Minute) }},
		{"a load that rises at once", func(d *demand) { d.run(10, time.Minute); d.run(190, 10*time.Second) }},
		{"one call in ten fails", func(d *demand) { d.backend.capacity = 200; d.run(220, time.Minute) }},
		{"few calls that all fail", func(d *demand) { d.backend.capacity = 0; d.run(3, time.Minute) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDemand(t, 1, 200, ratelimit.ThrottleConfig{})
			c.play(d)
			if d.asked != d.sent {
				t.Errorf("of %v calls %v were sent", d.asked, d.sent)
			}
		})
	}
}

// Who holds back all never learns that the service is back.
func TestSomeCallsAreAlwaysSent(t *testing.T) {
	for most, want := range map[float64]float64{0: 0.1, 0.5: 0.5} {
		d := newDemand(t, 1, 0, ratelimit.ThrottleConfig{MaxReject: most})
		d.run(500, 20*time.Second)
		if sent, _ := d.run(500, 20*time.Second); math.Abs(sent/500-want) > 0.02 {
			t.Errorf("MaxReject %v: %.2f of the calls are sent to a dead service, want %v", most, sent/500, want)
		}
		d.backend.capacity = 1000
		d.run(500, 10*time.Second)
		if d.run(500, 10*time.Second); d.asked != d.sent {
			t.Errorf("MaxReject %v: of %v calls %v are sent ten seconds after it is back", most, d.asked, d.sent)
		}
	}
}

func TestTheLeastImportantCallsAreHeldBackFirst(t *testing.T) {
	d := newDemand(t, 1, 200, ratelimit.ThrottleConfig{})
	d.priority = func() ratelimit.Priority { // of 1000 per second 100, 400, 500
		switch n := d.random.IntN(10); {
		case n < 1:
			return ratelimit.Critical
		case n < 5:
			return ratelimit.Default
		default:
			return ratelimit.Sheddable
		}
	}
	d.run(1000, 20*time.Second)
	d.run(1000, 20*time.Second)
	share := func(p ratelimit.Priority) float64 {
		return float64(d.sent[p.Index()]) / float64(d.asked[p.Index()])
	}
	// 400 of the 1000 are sent: all that are critical and three quarters of the default.
	if c, n, s := share(ratelimit.Critical), share(ratelimit.Default), share(ratelimit.Sheddable); c != 1 || math.Abs(n-0.75) > 0.08 || s > 0.02 {
		t.Errorf("%.2f of the critical calls are sent, %.2f of the default, %.2f of the sheddable", c, n, s)
	}
}

func TestAChangedThrottleGoesOn(t *testing.T) {
	d := newDemand(t, 1, 200, ratelimit.ThrottleConfig{})
	d.run(2000, 20*time.Second)
	if err := d.throttles[0].Set(ratelimit.ThrottleConfig{K: 1.5}); err != nil {
		t.Fatal(err)
	}
	if sent, accepted := d.run(2000, 2*time.Second); sent > 2.2*accepted {
		t.Errorf("%.0f are sent of which %.0f are accepted: it began anew", sent, accepted)
	}
	d.run(2000, 10*time.Second)
	if sent, accepted := d.run(2000, 20*time.Second); math.Abs(sent/accepted-1.5) > 0.1 {
		t.Errorf("%.2f times what is accepted is sent, want 1.5", sent/accepted)
	}
	if err := d.throttles[0].Set(ratelimit.ThrottleConfig{K: 1}); err == nil {
		t.Error("a K of 1 is allowed")
	}
}

func TestThrottleConfigIsValidated(t *testing.T) {
	for field, c := range map[string]ratelimit.ThrottleConfig{
		"K is 1:":            {K: 1},
		"K is NaN:":          {K: math.NaN()},
		"K is 101:":          {K: 101},
		"Window is 1ms:":     {Window: time.Millisecond},
		"Window is 2h0m0s:":  {Window: 2 * time.Hour},
		"MaxReject is 1:":    {MaxReject: 1},
		"MaxReject is -0.1:": {MaxReject: -0.1},
	} {
		if _, err := ratelimit.NewThrottle(c); err == nil || !strings.Contains(err.Error(), "ThrottleConfig."+field) {
			t.Errorf("%s %v", field, err)
		}
	}
}

func TestThrottleCostsNoAllocation(t *testing.T) {
	throttle, _ := ratelimit.NewThrottle(ratelimit.ThrottleConfig{})
	now := time.Duration(0)
	if n := testing.AllocsPerRun(10_000, func() {
		now += time.Millisecond
		if throttle.Allow(now, ratelimit.Default, uint64(now)*0x9e3779b97f4a7c15) {
			throttle.Done(now, ratelimit.Default, false)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
