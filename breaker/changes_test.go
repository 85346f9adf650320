package breaker_test

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

// circle opens and closes a breaker, which are three changes.
func circle(t *testing.T, b *breaker.Breaker) {
	t.Helper()
	end(t, b, failure)
	time.Sleep(3*time.Second + 1)
	end(t, b, success)
	wantState(t, b, breaker.Closed)
}

func TestChangesComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []breaker.State
		b := newBreaker(t, breaker.Config{ConsecutiveFailures: 1}, breaker.OnChange(func(c breaker.Change) {
			if len(told) > 0 && told[len(told)-1] != c.From {
				t.Errorf("from %v after %v", c.From, told)
			}
			told = append(told, c.To)
			time.Sleep(100 * time.Millisecond) // slower than the changes to half-open and closed
		}))
		circle(t, b)
		circle(t, b)
		time.Sleep(time.Second)
		synctest.Wait()
		want := []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Closed, breaker.Open, breaker.HalfOpen, breaker.Closed}
		if !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

func TestProbesAreCountedInTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, last := watched(t, breaker.Config{ConsecutiveFailures: 1, HalfOpenRequests: 3})
		end(t, b, failure)
		time.Sleep(3*time.Second + 1)
		end(t, b, success, success, failure)
		if got, want := last().Counts, (breaker.Counts{Requests: 3, Failures: 1, ConsecutiveFailures: 1}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
	})
}

func TestCallbackThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		told := 0
		b := newBreaker(t, breaker.Config{ConsecutiveFailures: 1}, breaker.OnChange(func(breaker.Change) {
			<-release
			told++
		}))
		circle(t, b)
		synctest.Wait()
		for range 30 {
			circle(t, b) // 90 changes, of which the first is being told: 64 wait
		}
		if got, want := b.Totals(), (breaker.Totals{Opened: 31, Unreported: 93 - 65}); got != want {
			t.Errorf("totals %+v, want %+v", got, want)
		}
		close(release)
		synctest.Wait()
		circle(t, b)
		synctest.Wait()
		if told != 65+3 {
			t.Errorf("told %d times, want 68", told)
		}
	})
}

func TestCallbackThatPanics(t *testing.T) {
	tests := []struct {
		name   string
		f      func(n int) // the nth change, from 1
		pause  time.Duration
		told   int
		totals breaker.Totals
	}{
		{"once, and goes on", func(n int) {
			if n == 1 {
				panic("no")
			}
		}, 0, 12, breaker.Totals{Opened: 4, Panics: 1}},
		{"three times in a minute, and is not called again", func(int) { panic("no") }, 0, 3, breaker.Totals{Opened: 4, Panics: 3, Unreported: 9}},
		{"twice a minute, for ever", func(n int) {
			if n%3 != 0 {
				panic("no")
			}
		}, time.Minute, 12, breaker.Totals{Opened: 4, Panics: 8}},
		{"by ending its goroutine", func(n int) {
			if n == 1 {
				runtime.Goexit()
			}
		}, 0, 12, breaker.Totals{Opened: 4, Panics: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := 0
				b := newBreaker(t, breaker.Config{ConsecutiveFailures: 1}, breaker.OnChange(func(breaker.Change) {
					told++
					tt.f(told)
				}))
				for range 4 {
					circle(t, b)
					time.Sleep(tt.pause)
				}
				synctest.Wait()
				if told != tt.told {
					t.Errorf("told %d times, want %d", told, tt.told)
				}
				if got := b.Totals(); got != tt.totals {
					t.Errorf("totals %+v, want %+v", got, tt.totals)
				}
			})
		})
	}
}
