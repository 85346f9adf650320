package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

const ms = time.Millisecond

// waiter is a call that waits, and how that ended.
type waiter struct {
	after time.Duration // since it began to wait
	err   error
}

// waiting begins calls that wait, one after the other, and returns when all ended.
func waiting(b *ratelimit.Bucket, p ratelimit.Priority, most time.Duration, n int) []waiter {
	ended := make([]waiter, n)
	var all sync.WaitGroup
	for i := range ended {
		all.Go(func() {
			began := time.Now()
			err := b.Wait(context.Background(), p, most)
			ended[i] = waiter{time.Since(began), err}
		})
		synctest.Wait()
	}
	all.Wait()
	return ended
}

func TestBucketWaitIsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t, 10, 2)
		for i, got := range waiting(b, ordinary, 300*ms, 7) {
			want := waiter{}
			switch {
			case i > 4:
				want.err = ratelimit.ErrRate // at once
			case i > 1:
				want.after = time.Duration(i-1) * 100 * ms
			}
			if got.after.Round(ms) != want.after || !errors.Is(got.err, want.err) {
				t.Errorf("call %d: %v after %v, want %v after %v", i, got.err, got.after, want.err, want.after)
			}
		}
	})
}

func TestBucketWaitThatIsRefusedTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t, 10, 1)
		waiting(b, ordinary, 0, 1)
		for i, got := range waiting(b, ordinary, 50*ms, 100) {
			if got.after != 0 || got.err != ratelimit.ErrRate {
				t.Fatalf("call %d: %v after %v, want it to be refused at once", i, got.err, got.after)
			}
		}
		if got := waiting(b, ordinary, 100*ms, 1)[0]; got.err != nil || got.after.Round(ms) != 100*ms {
			t.Errorf("then one that waits longer: %v after %v", got.err, got.after)
		}
	})
}

func TestBucketWaitIsWithinTheDeadline(t *testing.T) {
	tests := []struct {
		name     string
		deadline time.Duration
		most     time.Duration
		want     error
		after    time.Duration
	}{
		{"it is long enough", 101 * ms, time.Second, nil, 100 * ms},
		{"its turn is later", 99 * ms, time.Second, ratelimit.ErrRate, 0},
		{"its turn is later than it may wait", time.Second, 99 * ms, ratelimit.ErrRate, 0},
		{"it may not wait", time.Second, 0, ratelimit.ErrRate, 0},
		{"nor less than that", time.Second, -time.Second, ratelimit.ErrRate, 0},
		{"it is over", 0, time.Second, context.DeadlineExceeded, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket(t, 10, 1)
				waiting(b, ordinary, 0, 1)
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				began := time.Now()
				err := b.Wait(ctx, ordinary, tt.most)
				if after := time.Since(began).Round(ms); err != tt.want || after != tt.after {
					t.Errorf("%v after %v, want %v after %v", err, after, tt.want, tt.after)
				}
			})
		})
	}
}

func TestBucketWaitOfAContextThatEndedTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t, 10, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Wait(ctx, ordinary, time.Second); err != context.Canceled {
			t.Errorf("the error is %v", err)
		}
		if !b.Allow(0, ordinary) {
			t.Error("the token is gone")
		}
	})
}

// x/time gives a token back only if nobody came later. Here the first of three that
// wait goes, and whoever comes then has its place at the end.
func TestBucketWaitGivesTheTokenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(t, 10, 1)
		began := time.Now()
		b.Allow(0, ordinary)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if err := b.Wait(ctx, ordinary, time.Second); err != context.Canceled {
				t.Errorf("the error is %v", err)
			}
		})
		synctest.Wait()
		for range 2 {
			all.Go(func() {
				if err := b.Wait(t.Context(), ordinary, time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		time.Sleep(50 * ms)
		cancel()
		synctest.Wait()
		if err := b.Wait(t.Context(), ordinary, time.Second); err != nil {
			t.Error(err)
		}
		if got := time.Since(began).Round(ms); got != 300*ms {
			t.Errorf("the fourth call goes after %v, want 300ms: those before it need two tokens", got)
		}
		all.Wait()
	})
}

// Nobody waits with a token that others are to have first. Those that wait look at the
// same moment: none may take one that has just got its token for one that still waits,
// and give up; hence many times.
func TestBucketWaitLeavesTokensToMoreImportantCalls(t *testing.T) {
	for range 100 {
		synctest.Test(t, waitsBehindCriticalOnes)
	}
}

func waitsBehindCriticalOnes(t *testing.T) {
	began := time.Now()
	b := newBucket(t, 10, 10)
	if !b.Allow(0, critical) || allowed(b, 0, ordinary, 10) != 7 {
		t.Fatal("a default call should leave two tokens")
	}
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			err := b.Wait(t.Context(), ordinary, 500*ms)
			if got, want := time.Since(began).Round(ms), time.Duration(3+i)*100*ms; err != nil || got != want {
				t.Errorf("default call %d: %v after %v, want %v: critical ones took two tokens in between", i, err, got, want)
			}
		})
		synctest.Wait()
	}
	if got := waiting(b, sheddable, 500*ms, 1)[0]; got.err != ratelimit.ErrRate || got.after != 0 {
		t.Errorf("a sheddable call: %v after %v, want it to be refused, since it would have to leave five", got.err, got.after)
	}
	for range 2 {
		if !b.Allow(time.Since(began), critical) {
			t.Error("a critical call is refused while default calls wait")
		}
	}
	all.Wait()
}

// However calls come, wait, give up and are refused, at the end every token is where
// it belongs: in the bucket, or with a call that was let through.
func TestBucketWaitLosesNoToken(t *testing.T) {
	const perSecond, burst, calls = 10, 5, 400
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			bits := rand.New(rand.NewPCG(seed, 2))
			b := newBucket(t, perSecond, burst)
			began := time.Now()
			allowed(b, 0, ordinary, burst)
			var through atomic.Int64
			var all sync.WaitGroup
			for range calls {
				time.Sleep(time.Duration(bits.ExpFloat64() * float64(50*ms)))
				p := ratelimit.Priority(bits.IntN(3) - 1)
				most := time.Duration(bits.Int64N(int64(600 * ms)))
				patience := time.Duration(bits.Int64N(int64(900 * ms)))
				all.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer time.AfterFunc(patience, cancel).Stop()
					began := time.Now()
					switch err := b.Wait(ctx, p, most); {
					case err == nil:
						through.Add(1)
					case err == context.Canceled && time.Since(began) == patience:
					case err == ratelimit.ErrRate && (p < critical || time.Since(began) == 0):
					default:
						t.Errorf("%v after %v of %v, patience %v", err, time.Since(began), most, patience)
					}
					if got := time.Since(began); got > most {
						t.Errorf("it took %v, allowed were %v", got, most)
					}
				})
			}
			all.Wait()
			now := time.Since(began)
			made := perSecond * now.Seconds()
			if got := int(through.Load()) + allowed(b, now, critical, calls); math.Abs(float64(got)-made) > 1 {
				t.Errorf("%d tokens were given or are left of %.1f", got, made)
			}
			if float64(through.Load()) < 0.9*made {
				t.Errorf("%d tokens were given of %.1f, although twice as many were asked for", through.Load(), made)
			}
		})
	}
}

func TestBucketWaitUnderConcurrency(t *testing.T) {
	b := newBucket(t, 2000, 10)
	var through atomic.Int64
	began := time.Now()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*ms)
				if b.Wait(ctx, ratelimit.Priority(i%3-1), 5*ms) == nil {
					through.Add(1)
				}
				cancel()
				_ = b.Set(ratelimit.RateConfig{Rate: 2000, Burst: 10 + i%2})
			}
		})
	}
	all.Wait()
	// Whoever read the clock and then lost the processor gives the time back.
	if most := 111 + 1.5*2000*time.Since(began).Seconds(); float64(through.Load()) > most {
		t.Errorf("%d went through, at most %v should", through.Load(), most)
	}
}
