package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/fairlead-go/fairlead/ratelimit"
)

func newBuckets(tb testing.TB, c ratelimit.RateConfig) *ratelimit.Buckets {
	tb.Helper()
	b, err := ratelimit.NewBuckets(c)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestBucketsLimitEveryKeyByItself(t *testing.T) {
	b := newBuckets(t, ratelimit.RateConfig{Rate: 1, Burst: 3})
	for i := range 1000 {
		key := strconv.Itoa(i)
		if got := allowed(b.Of(0, key), 0, ordinary, 5); got != 3 {
			t.Errorf("%d of key %s are allowed, want 3", got, key)
		}
		if b.Of(time.Second, key) != b.Of(2*time.Second, key) {
			t.Errorf("key %s has two buckets", key)
		}
	}
	if b.Len() != 1000 || b.Evicted() != 0 || b.Overflows() != 0 {
		t.Errorf("%d keys, %d evicted, %d overflows", b.Len(), b.Evicted(), b.Overflows())
	}
}

func TestBucketsForgetTheOldestIdleKey(t *testing.T) {
	const s = time.Second
	b := newBuckets(t, ratelimit.RateConfig{Rate: 1, Burst: 10, MaxKeys: 3})
	buckets := map[string]*ratelimit.Bucket{}
	of := func(now time.Duration, key string) *ratelimit.Bucket {
		bucket := b.Of(now, key)
		buckets[key] = bucket
		return bucket
	}
	allowed(of(0, "drained"), 0, ordinary, 10)
	of(s, "older").Allow(s, ordinary)
	of(2*s, "newer").Allow(2*s, ordinary)
	of(3*s, "older").Allow(3*s, ordinary)

	if of(5*s, "newcomer"); b.Evicted() != 1 || b.Len() != 3 {
		t.Fatalf("%d evicted of %d keys", b.Evicted(), b.Len())
	}
	for _, key := range []string{"drained", "older"} {
		if b.Of(5*s, key) != buckets[key] {
			t.Errorf("key %q was forgotten", key)
		}
	}
	if b.Evicted() != 1 {
		t.Error("it was not key \"newer\", which was not used for longest and is full again")
	}
}

func TestBucketsWhereNobodyIsIdleNewcomersShareOne(t *testing.T) {
	b := newBuckets(t, ratelimit.RateConfig{Rate: 1, Burst: 10, MaxKeys: 2})
	for _, key := range []string{"a", "b"} {
		allowed(b.Of(0, key), 0, ordinary, 5)
	}
	x, y := b.Of(time.Second, "x"), b.Of(time.Second, "y")
	if x != y {
		t.Error("there are two to share")
	}
	if got := allowed(x, time.Second, ordinary, 10) + allowed(y, time.Second, ordinary, 10); got != 10 {
		t.Errorf("both together have %d, want 10", got)
	}
	if b.Overflows() != 2 || b.Evicted() != 0 || b.Len() != 2 {
		t.Errorf("%d overflows, %d evicted, %d keys", b.Overflows(), b.Evicted(), b.Len())
	}
	if b.Of(10*time.Second, "x") == x {
		t.Error("once somebody is idle it still has none of its own")
	}
}

// Somebody asked for a bucket and takes a token next.
func TestBucketsKeepWhatWasJustHandedOut(t *testing.T) {
	b := newBuckets(t, ratelimit.RateConfig{Rate: 1, MaxKeys: 1})
	a := b.Of(0, "a")
	b.Of(time.Millisecond-1, "b")
	if b.Of(time.Millisecond-1, "a") != a {
		t.Error("it was forgotten at once")
	}
	if b.Of(2*time.Millisecond, "b"); b.Evicted() != 1 {
		t.Error("it is kept for ever")
	}
}

// Keys that are drained and then never come again shall not protect those behind
// them from being forgotten.
func TestBucketsFindWhoIsIdleBehindManyWhoAreNot(t *testing.T) {
	const drained, idle = 2000, 100
	b := newBuckets(t, ratelimit.RateConfig{Rate: 0.001, Burst: 2, MaxKeys: drained + idle})
	for i := range drained {
		allowed(b.Of(0, "drained"+strconv.Itoa(i)), 0, ordinary, 2)
	}
	for i := range idle {
		b.Of(0, "idle"+strconv.Itoa(i))
	}
	for i := range idle + 100 {
		now := time.Second + time.Duration(i)*ms
		b.Of(now, "newcomer"+strconv.Itoa(i)).Allow(now, ordinary)
	}
	if got := b.Evicted(); got != idle {
		t.Errorf("%d of %d idle keys were forgotten for as many newcomers", got, idle)
	}
	if got := b.Overflows(); got != 100 {
		t.Errorf("%d found no place, want 100", got)
	}
}

func TestBucketsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBuckets(t, ratelimit.RateConfig{Rate: 1, Burst: 10, MaxKeys: 4})
		for i, key := range []string{"a", "b", "c", "d"} {
			allowed(b.Of(0, key), 0, ordinary, 4*i)
		}
		allowed(b.Of(0, "e"), 0, ordinary, 4)
		if err := b.Set(ratelimit.RateConfig{Rate: 5, Burst: 20, MaxKeys: 4}); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]int{"a": 10, "b": 6, "c": 2, "d": 0, "e": 6} {
			if got := allowed(b.Of(0, key), 0, ordinary, 100); got != want {
				t.Errorf("key %s has %d tokens, want %d", key, got, want)
			}
		}
		time.Sleep(time.Second)
		now := time.Since(began)
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			if got := allowed(b.Of(now, key), now, ordinary, 100); got != 5 {
				t.Errorf("key %s has %d tokens a second later, want 5", key, got)
			}
		}

		time.Sleep(3 * time.Second)
		b.Of(time.Since(began), "d").Allow(time.Since(began), ordinary)
		if err := b.Set(ratelimit.RateConfig{Rate: 5, Burst: 10, MaxKeys: 1}); err != nil {
			t.Fatal(err)
		}
		if b.Len() != 1 || b.Evicted() != 3 {
			t.Errorf("%d keys, %d evicted, want 1 and 3", b.Len(), b.Evicted())
		}
		if err := b.Set(ratelimit.RateConfig{}); err == nil {
			t.Error("Set accepts a bad configuration")
		}
		if err := b.Set(ratelimit.RateConfig{Rate: 5, Burst: 10, MaxKeys: 3}); err != nil {
			t.Fatal(err)
		}
		now = time.Since(began)
		for _, key := range []string{"x", "y", "z"} {
			b.Of(now, key).Allow(now, ordinary)
		}
		if b.Len() != 3 || b.Overflows() != 4 {
			t.Errorf("%d keys and %d overflows, want 3 and 4", b.Len(), b.Overflows())
		}
	})
}

// A key that is too many, since MaxKeys fell, goes when it is idle.
func TestBucketsShrinkAsKeysBecomeIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBuckets(t, ratelimit.RateConfig{Rate: 1, Burst: 5, MaxKeys: 5})
		for i := range 5 {
			b.Of(0, strconv.Itoa(i)).Allow(0, ordinary)
		}
		if err := b.Set(ratelimit.RateConfig{Rate: 1, Burst: 5, MaxKeys: 2}); err != nil {
			t.Fatal(err)
		}
		if b.Len() != 5 {
			t.Errorf("%d keys: nobody was idle", b.Len())
		}
		for i, want := range []int{3, 2, 2} { // two go for one that comes, while there are too many
			time.Sleep(time.Minute)
			b.Of(time.Since(began), "new"+strconv.Itoa(i))
			if b.Len() != want {
				t.Errorf("%d keys, want %d", b.Len(), want)
			}
		}
	})
}

// FuzzBuckets holds buckets against a list of limiters that is searched from the
// oldest on. Every two bytes are a step: how much time passes, and who comes then.
func FuzzBuckets(f *testing.F) {
	f.Add([]byte{}, uint8(1))
	bits := rand.New(rand.NewPCG(5, 6))
	for i := range 16 {
		steps := make([]byte, 600)
		for i := range steps {
			steps[i] = byte(bits.Uint32())
		}
		f.Add(steps, uint8(i))
	}
	f.Fuzz(func(t *testing.T, steps []byte, keys uint8) {
		c := ratelimit.RateConfig{Rate: 10, Burst: 4, MaxKeys: 1 + int(keys%8)}
		b, m := newBuckets(t, c), newModel(c)
		now := time.Duration(0)
		for ; len(steps) > 1; steps = steps[2:] {
			now += [...]time.Duration{1, 500 * time.Microsecond, 3 * ms, 40 * ms, 100 * ms, 250 * ms, 400 * ms, time.Hour}[steps[0]>>5]
			key := strconv.Itoa(int(steps[1] % 12))
			bucket, limiter := b.Of(now, key), m.of(now, key)
			for range steps[0] & 3 {
				if got, want := bucket.Allow(now, ordinary), limiter.AllowN(m.began.Add(now), 1); got != want {
					t.Fatalf("at %v key %s is allowed %v, want %v", now, key, got, want)
				}
			}
			if b.Len() != len(m.keys) || b.Evicted() != m.evicted || b.Overflows() != m.overflows {
				t.Fatalf("at %v after key %s: %d keys, %d evicted, %d overflows; want %d, %d, %d", now, key, b.Len(), b.Evicted(), b.Overflows(), len(m.keys), m.evicted, m.overflows)
			}
		}
	})
}

// model is what buckets should be, without any thought of cost.
type model struct {
	c                  ratelimit.RateConfig
	began              time.Time
	keys               []modelKey // the oldest first
	overflow           *rate.Limiter
	full               time.Duration // when nobody was idle
	evicted, overflows int64
}

type modelKey struct {
	name    string
	used    time.Duration
	limiter *rate.Limiter
}

func newModel(c ratelimit.RateConfig) *model {
	return &model{c: c, began: time.Now(), full: -time.Hour, overflow: rate.NewLimiter(rate.Limit(c.Rate), c.Burst)}
}

func (m *model) of(now time.Duration, name string) *rate.Limiter {
	k := modelKey{name, now, rate.NewLimiter(rate.Limit(m.c.Rate), m.c.Burst)}
	if i := slices.IndexFunc(m.keys, func(k modelKey) bool { return k.name == name }); i >= 0 {
		k.limiter = m.keys[i].limiter
		m.keys = slices.Delete(m.keys, i, i+1)
	} else if len(m.keys) == m.c.MaxKeys {
		i := slices.IndexFunc(m.keys, func(k modelKey) bool {
			return now >= k.used+time.Millisecond && k.limiter.TokensAt(m.began.Add(now)) == float64(m.c.Burst)
		})
		if now < m.full+time.Millisecond {
			i = -1
		} else if i < 0 {
			m.full = now
		}
		if i < 0 {
			m.overflows++
			return m.overflow
		}
		m.keys = slices.Delete(m.keys, i, i+1)
		m.evicted++
	}
	m.keys = append(m.keys, k)
	return k.limiter
}

// Who comes under ever new keys, however long they are, neither fills the memory nor
// makes the buckets forget those who are limited.
func TestBucketsUnderAMillionKeys(t *testing.T) {
	const maxKeys, keys = 1000, 1_000_000
	b := newBuckets(t, ratelimit.RateConfig{Rate: 1, Burst: 5, MaxKeys: maxKeys})
	victims := make([]*ratelimit.Bucket, 10)
	for i := range victims {
		victims[i] = b.Of(0, "victim"+strconv.Itoa(i))
		allowed(victims[i], 0, ordinary, 5)
	}
	before := heapInUse()
	long := strings.Repeat("x", 1000)
	for i := range keys {
		now := time.Duration(i) * 3 * time.Microsecond // three seconds in all
		key := strconv.Itoa(i)
		if i%100 == 0 {
			key += long
		}
		if i%3 == 0 {
			b.Of(now, key).Allow(now, ordinary)
		} else {
			b.Of(now, key)
		}
		if i%1000 == 0 && b.Len() > maxKeys {
			t.Fatalf("%d keys, at most %d are allowed", b.Len(), maxKeys)
		}
	}
	if grown := int(heapInUse()) - int(before); grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes, for %d keys", grown, maxKeys)
	}
	for i, v := range victims {
		if b.Of(3*time.Second, "victim"+strconv.Itoa(i)) != v {
			t.Errorf("victim %d was forgotten before it had its tokens again", i)
		}
	}
	if b.Len() > maxKeys || b.Evicted() == 0 || b.Overflows() == 0 {
		t.Errorf("%d keys, %d evicted, %d overflows", b.Len(), b.Evicted(), b.Overflows())
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestBucketsOfAKeyThatIsThereAllocateNothing(t *testing.T) {
	b := newBuckets(t, ratelimit.RateConfig{Rate: 1e6})
	keys := make([]string, 100)
	for i := range keys {
		keys[i] = fmt.Sprintf("tenant %d", i)
		b.Of(0, keys[i])
	}
	i := 0
	if got := testing.AllocsPerRun(1000, func() {
		now := time.Duration(i) * ms
		b.Of(now, keys[i%len(keys)]).Allow(now, ordinary)
		i++
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestBucketsUnderConcurrency(t *testing.T) {
	const callers, calls, maxKeys, burst = 8, 3000, 20, 50
	b := newBuckets(t, ratelimit.RateConfig{Rate: 1e-6, Burst: burst, MaxKeys: maxKeys})
	var got [10]atomic.Int64 // of keys that are drained, and so stay
	for i := range got {
		got[i].Add(int64(allowed(b.Of(0, strconv.Itoa(i)), 0, ordinary, 1)))
	}
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for j := range calls {
				now := time.Duration(j) * time.Millisecond
				k := (i + j) % len(got)
				if b.Of(now, strconv.Itoa(k)).Allow(now, ordinary) {
					got[k].Add(1)
				}
				b.Of(now, strconv.Itoa(i*calls+j+100))
				if b.Len() > maxKeys {
					t.Errorf("%d keys", b.Len())
				}
				if j%1000 == 0 {
					_ = b.Set(ratelimit.RateConfig{Rate: 1e-6, Burst: burst, MaxKeys: maxKeys})
				}
			}
		})
	}
	all.Wait()
	for i := range got {
		if n := got[i].Load(); n != burst {
			t.Errorf("%d of key %d are allowed, want %d", n, i, burst)
		}
	}
}
