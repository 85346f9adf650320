package ratelimit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/fairlead-go/fairlead/ratelimit"
)

const (
	sheddable = ratelimit.Sheddable
	ordinary  = ratelimit.Default
	critical  = ratelimit.Critical
)

func newBucket(tb testing.TB, perSecond float64, burst int) *ratelimit.Bucket {
	tb.Helper()
	b, err := ratelimit.NewBucket(ratelimit.RateConfig{Rate: perSecond, Burst: burst})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// allowed says how many of n calls at one moment are.
func allowed(b *ratelimit.Bucket, now time.Duration, p ratelimit.Priority, n int) (of int) {
	for range n {
		if b.Allow(now, p) {
			of++
		}
	}
	return of
}

func TestBucketGivesAllToCallsOfOnePriority(t *testing.T) {
	for _, p := range []ratelimit.Priority{sheddable, ordinary, critical} {
		for _, burst := range []int{1, 2, 5, 100} {
			for _, from := range []time.Duration{0, -5 * time.Second, -200 * 365 * 24 * time.Hour, 200 * 365 * 24 * time.Hour} {
				b := newBucket(t, 10, burst)
				if got := allowed(b, from, p, 200); got != burst {
					t.Errorf("%v: %d of a burst of %d, from %v", p, got, burst, from)
				}
				if got := allowed(b, from+time.Hour, p, 200); got != burst {
					t.Errorf("%v: %d of a burst of %d an hour later, from %v", p, got, burst, from)
				}
				got := 0
				for now := time.Duration(0); now < 10*time.Second; now += 25 * time.Millisecond {
					got += allowed(b, from+2*time.Hour+now, p, 2)
				}
				if want := burst + 99; got != want {
					t.Errorf("%v: %d in ten seconds from %v, want %d", p, got, from, want)
				}
			}
		}
	}
}

func TestBucketLeavesTokensToMoreImportantCalls(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name  string
		burst int
		seen  ratelimit.Priority
		after time.Duration // until then the bucket is full again
		asks  ratelimit.Priority
		want  int
	}{
		{"sheddable leaves half to default", 10, ordinary, s, sheddable, 5},
		{"sheddable leaves half to critical", 10, critical, s, sheddable, 5},
		{"default leaves a fifth to critical", 10, critical, s, ordinary, 8},
		{"nobody is above critical", 10, critical, s, critical, 10},
		{"default leaves nothing to sheddable", 10, sheddable, s, ordinary, 10},
		{"critical leaves nothing to default", 10, ordinary, s, critical, 10},
		{"rounded up, half", 11, critical, s, sheddable, 5},
		{"rounded up, a fifth", 11, critical, s, ordinary, 8},
		{"of three, default leaves one", 3, critical, s, ordinary, 2},
		{"of three, sheddable leaves two", 3, critical, s, sheddable, 1},
		{"of two, default leaves one", 2, critical, s, ordinary, 1},
		{"of two, sheddable as well", 2, critical, s, sheddable, 1},
		{"a burst of one is for all, sheddable", 1, critical, s, sheddable, 1},
		{"a burst of one is for all, default", 1, critical, s, ordinary, 1},
		{"for ten seconds", 10, critical, 9 * s, ordinary, 8},
		{"and no longer", 10, critical, 10 * s, ordinary, 10},
		{"beyond the least is the least", 10, critical, s, sheddable - 5, 5},
		{"beyond the most is the most", 10, critical + 5, s, ordinary, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBucket(t, 100, tt.burst)
			b.Allow(0, tt.seen)
			if got := allowed(b, tt.after, tt.asks, 20); got != tt.want {
				t.Errorf("%d are allowed, want %d", got, tt.want)
			}
		})
	}
}

func TestBucketSeesCallsThatItRefuses(t *testing.T) {
	b := newBucket(t, 1, 10)
	allowed(b, 0, critical, 10)
	for now := time.Duration(0); now < 10*time.Second; now += 100 * time.Millisecond {
		b.Allow(now, critical)
	}
	if got := allowed(b, 18*time.Second, ordinary, 10); got != 9-2 {
		t.Errorf("%d are allowed, want 7: there are nine, and two are for critical calls", got)
	}
}

// Ten times as many calls as are allowed, of all priorities. However few tokens the
// bucket holds, if it is more than one, and whenever the others come, critical calls
// are allowed as long as they alone are fewer than the rate, and nothing is wasted.
func TestBucketUnderTenfoldLoad(t *testing.T) {
	const perSecond, seconds = 100.0, 100
	tests := []struct {
		burst    int
		critical float64 // of the rate
		how      arrivals
	}{
		{2, 0.1, steady}, {2, 0.9, steady}, {3, 0.9, steady}, {5, 0.9, steady}, {10, 0.9, steady}, {100, 0.95, steady}, {1000, 0.95, steady},
		{10, 0.1, atRandom}, {20, 0.3, atRandom}, {50, 0.5, atRandom}, {100, 0.7, atRandom}, {200, 0.8, atRandom}, {400, 0.9, atRandom},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("burst %d, critical %v of the rate, %v", tt.burst, tt.critical, tt.how), func(t *testing.T) {
			for seed := range uint64(3) {
				bits := rand.New(rand.NewPCG(seed, 5))
				b := newBucket(t, perSecond, tt.burst)
				var asked, got [ratelimit.NumberOfPriorities]float64
				next := [ratelimit.NumberOfPriorities]time.Duration{}
				rates := [ratelimit.NumberOfPriorities]float64{perSecond * 5, perSecond * (5 - tt.critical), perSecond * tt.critical}
				how := [ratelimit.NumberOfPriorities]arrivals{atRandom, atRandom, tt.how}
				for {
					i := 0
					for j := range next {
						if next[j] < next[i] {
							i = j
						}
					}
					now := next[i]
					if now >= seconds*time.Second {
						break
					}
					asked[i]++
					if b.Allow(now, sheddable+ratelimit.Priority(i)) {
						got[i]++
					}
					next[i] += how[i].wait(rates[i], bits)
				}
				if share := got[critical.Index()] / asked[critical.Index()]; share < 0.99 {
					t.Errorf("%.4f of the critical calls are allowed", share)
				}
				if got, asked := got[ordinary.Index()]/asked[ordinary.Index()], got[sheddable.Index()]/asked[sheddable.Index()]; tt.burst > 2 && got < asked {
					t.Errorf("%.3f of the default calls are allowed, but %.3f of the sheddable ones", got, asked)
				}
				sum := got[0] + got[1] + got[2]
				least, most := perSecond*seconds*0.99, perSecond*seconds+float64(tt.burst)
				if tt.burst < 5 {
					least *= 0.9 // a bucket so small that it has to be full for a default call is full now and then
				}
				if sum < least || sum > most {
					t.Errorf("%v calls are allowed, want %v to %v", sum, least, most)
				}
			}
		})
	}
}

type arrivals int

const (
	steady arrivals = iota
	atRandom
)

func (a arrivals) String() string { return [...]string{"steady", "at random"}[a] }

func (a arrivals) wait(perSecond float64, bits *rand.Rand) time.Duration {
	x := 1.0
	if a == atRandom {
		x = bits.ExpFloat64()
	}
	return time.Duration(x / perSecond * float64(time.Second))
}

// FuzzBucket holds a bucket against golang.org/x/time/rate, which it is for calls of
// one priority, and what it says of the next token against what then happens. Every
// byte is a step.
func FuzzBucket(f *testing.F) {
	f.Add([]byte{}, uint16(10), uint8(5), false)
	bits := rand.New(rand.NewPCG(3, 4))
	for i := range 12 {
		steps := make([]byte, 300)
		for i := range steps {
			steps[i] = byte(bits.Uint32())
		}
		f.Add(steps, uint16(bits.Uint32()), uint8(bits.Uint32()), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, steps []byte, perSecond uint16, burst uint8, shed bool) {
		p := ordinary
		if shed {
			p = sheddable
		}
		c := ratelimit.RateConfig{Rate: max(1, float64(perSecond)) / 7, Burst: max(1, int(burst))}
		b, plain := newBucket(t, c.Rate, c.Burst), rate.NewLimiter(rate.Limit(c.Rate), c.Burst)
		began, now := time.Now(), time.Duration(0)
		for _, step := range steps {
			now += [...]time.Duration{0, 1, time.Microsecond, 3 * time.Millisecond, 77 * time.Millisecond, time.Second, 13 * time.Second, time.Hour}[step>>5]
			for range step & 15 {
				want := plain.AllowN(began.Add(now), 1)
				wait := b.RetryAfter(now)
				if (wait == 0) != want {
					t.Fatalf("at %v the next token comes in %v, x/time says %v", now, wait, want)
				}
				if got := b.Allow(now, p); got != want {
					t.Fatalf("at %v allowed is %v, x/time says %v", now, got, want)
				}
			}
			if wait := b.RetryAfter(now); step&16 != 0 && wait > 0 {
				if now += wait - 3; wait > 3 && b.Allow(now, p) { // x/time rounds by one, and so do we
					t.Fatalf("at %v, before the token was there, a call was allowed", now)
				}
				if now += 3; !b.Allow(now, p) || !plain.AllowN(began.Add(now), 1) {
					t.Fatalf("at %v, when the token should be there, it was not", now)
				}
			}
		}
	})
}

func TestBucketRetryAfter(t *testing.T) {
	b := newBucket(t, 10, 10)
	if got := b.RetryAfter(0); got != 0 {
		t.Errorf("a full bucket says %v", got)
	}
	allowed(b, 0, ordinary, 10)
	if got := b.RetryAfter(0).Round(time.Microsecond); got != 100*time.Millisecond {
		t.Errorf("an empty one says %v", got)
	}
	b.Allow(0, critical)
	if got := b.RetryAfter(0).Round(time.Microsecond); got != 300*time.Millisecond {
		t.Errorf("one that two tokens are to be left in says %v", got)
	}
	slow := newBucket(t, 1e-300, 1)
	slow.Allow(0, ordinary)
	if got := slow.RetryAfter(0); got != math.MaxInt64 {
		t.Errorf("one whose token never comes says %v", got)
	}
}

func TestBucketSet(t *testing.T) {
	tests := []struct {
		name  string
		use   int // of ten
		c     ratelimit.RateConfig
		at    time.Duration // since it was set
		want  int
		again int // a second later
	}{
		{"the same", 5, ratelimit.RateConfig{Rate: 1, Burst: 10}, 0, 5, 1},
		{"a greater burst gives nothing by itself", 10, ratelimit.RateConfig{Rate: 1, Burst: 100}, 0, 0, 1},
		{"what was left stays", 4, ratelimit.RateConfig{Rate: 1, Burst: 100}, 0, 6, 1},
		{"a lesser burst has no room for more", 4, ratelimit.RateConfig{Rate: 1, Burst: 2}, 0, 2, 1},
		{"a lesser burst takes nothing of less", 9, ratelimit.RateConfig{Rate: 1, Burst: 2}, 0, 1, 1},
		{"the new rate begins now", 10, ratelimit.RateConfig{Rate: 50, Burst: 100}, time.Second, 50, 50},
		{"none is the calls of a second", 10, ratelimit.RateConfig{Rate: 7}, time.Hour, 7, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				b := newBucket(t, 1, 10)
				allowed(b, time.Since(began), ordinary, tt.use)
				if err := b.Set(tt.c); err != nil {
					t.Fatal(err)
				}
				time.Sleep(tt.at)
				if got := allowed(b, time.Since(began), ordinary, 1000); got != tt.want {
					t.Errorf("%d are allowed, want %d", got, tt.want)
				}
				time.Sleep(time.Second)
				if got := allowed(b, time.Since(began), ordinary, 1000); got != tt.again {
					t.Errorf("%d are allowed a second later, want %d", got, tt.again)
				}
			})
		})
	}
}

// Whoever simulates is ahead of the clock.
func TestBucketSetAheadOfTheClock(t *testing.T) {
	b := newBucket(t, 1, 10)
	b.Allow(0, ordinary)
	allowed(b, time.Hour, ordinary, 10)
	if err := b.Set(ratelimit.RateConfig{Rate: 2, Burst: 20}); err != nil {
		t.Fatal(err)
	}
	if got := allowed(b, time.Hour+time.Second, ordinary, 20); got != 2 {
		t.Errorf("%d are allowed after a second, want 2", got)
	}
}

func TestBucketRefusesBadConfig(t *testing.T) {
	if b, err := ratelimit.NewBucket(ratelimit.RateConfig{}); b != nil || err == nil {
		t.Errorf("NewBucket returns %v, %v", b, err)
	}
	b := newBucket(t, 1, 1)
	if err := b.Set(ratelimit.RateConfig{Rate: 100, Burst: -1}); err == nil {
		t.Error("Set returns no error")
	}
	if got := allowed(b, 0, ordinary, 10) + allowed(b, time.Second, ordinary, 10); got != 2 {
		t.Errorf("%d are allowed after a bad Set, want 2", got)
	}
}

func TestBucketAllocatesNothing(t *testing.T) {
	b := newBucket(t, 1e6, 100)
	now := time.Duration(0)
	if got := testing.AllocsPerRun(1000, func() {
		now += 100 * time.Millisecond
		for _, p := range []ratelimit.Priority{sheddable, ordinary, critical} {
			b.Allow(now, p)
		}
		b.RetryAfter(now)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestBucketUnderConcurrency(t *testing.T) {
	const callers, calls, burst = 8, 2000, 1000
	b := newBucket(t, 1e-6, burst)
	var got atomic.Int64
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for range calls {
				if b.Allow(time.Duration(i), ratelimit.Priority(i%3-1)) {
					got.Add(1)
				}
				b.RetryAfter(0)
			}
		})
	}
	all.Wait()
	if got.Load() != burst {
		t.Errorf("%d are allowed of a burst of %d", got.Load(), burst)
	}
}
