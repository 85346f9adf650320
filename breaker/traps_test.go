package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/fairlead-go/fairlead/breaker"
)

// What others fell into, each beside the breaker without our additions: gobreaker
// by itself, which opens after three failures in a row and for 3 s.
func plain(s gobreaker.Settings) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	s.Timeout = 3 * time.Second
	if s.ReadyToTrip == nil {
		s.ReadyToTrip = func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 }
	}
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](s)
}

var three = breaker.Config{ConsecutiveFailures: 3}

func openPlain(t *testing.T, p *gobreaker.TwoStepCircuitBreaker[struct{}]) {
	t.Helper()
	for range 3 {
		done, err := p.Allow()
		if err != nil {
			t.Fatal(err)
		}
		done(errFailed)
	}
}

func TestHungProbe(t *testing.T) {
	t.Run("plain gobreaker stays blocked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := plain(gobreaker.Settings{})
			openPlain(t, p)
			time.Sleep(3*time.Second + 1)
			if _, err := p.Allow(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if _, err := p.Allow(); err != gobreaker.ErrTooManyRequests {
				t.Errorf("error is %v; is the lease needed any more?", err)
			}
		})
	})
	t.Run("ours asks the next", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(t, three)
			end(t, b, times(3, failure)...)
			time.Sleep(3*time.Second + 1)
			begin(t, b) // never ends
			time.Sleep(time.Second)
			end(t, b, success)
			wantState(t, b, breaker.Closed)
		})
	})
}

func TestCancellations(t *testing.T) {
	gaveUp := fmt.Errorf("reading orders: %w", context.Canceled)
	t.Run("plain gobreaker opens", func(t *testing.T) {
		p := plain(gobreaker.Settings{})
		for range 3 {
			done, _ := p.Allow()
			done(gaveUp)
		}
		if got := p.State(); got != gobreaker.StateOpen {
			t.Errorf("is %v; does it know cancellations by now?", got)
		}
	})
	t.Run("ours does not", func(t *testing.T) {
		b := newBreaker(t, three)
		for range 100 {
			_, _ = breaker.Do(b, func() (int, error) { return 0, gaveUp })
		}
		wantState(t, b, breaker.Closed)
		if got := b.Counts(); got != (breaker.Counts{}) {
			t.Errorf("counts %+v, want nothing", got)
		}
	})
}

// Calls that began before it opened say nothing of whether it may close: here a
// late success, and a late failure. gobreaker drops them too, but takes them for a
// reason to turn half-open.
func TestResultsOfBefore(t *testing.T) {
	t.Run("plain gobreaker turns half-open by one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			changes := 0
			p := plain(gobreaker.Settings{OnStateChange: func(string, gobreaker.State, gobreaker.State) { changes++ }})
			late, _ := p.Allow()
			openPlain(t, p)
			time.Sleep(3*time.Second + 1)
			late(nil)
			if changes != 2 {
				t.Errorf("%d changes; does it wait for a call now?", changes)
			}
		})
	})
	for _, outcome := range []breaker.Outcome{success, failure, neutral} {
		t.Run(fmt.Sprintf("ours drops outcome %d", outcome), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(t, breaker.Config{ConsecutiveFailures: 3, HalfOpenRequests: 2})
				var late [4]breaker.Ticket
				for i := range late {
					late[i] = begin(t, b)
				}
				end(t, b, times(3, failure)...)
				late[0].Done(outcome)
				wantState(t, b, breaker.Open)
				time.Sleep(3*time.Second + 1)
				late[1].Done(outcome)
				wantState(t, b, breaker.Open)
				end(t, b, success)
				late[2].Done(outcome)
				wantState(t, b, breaker.HalfOpen)
				end(t, b, success)
				late[3].Done(outcome)
				wantState(t, b, breaker.Closed)
				if got := b.Counts(); got != (breaker.Counts{}) {
					t.Errorf("counts %+v, want nothing", got)
				}
			})
		})
	}
}

func TestLooking(t *testing.T) {
	t.Run("plain gobreaker changes by it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			changes := 0
			p := plain(gobreaker.Settings{OnStateChange: func(string, gobreaker.State, gobreaker.State) { changes++ }})
			openPlain(t, p)
			time.Sleep(3*time.Second + 1)
			p.State()
			if changes != 2 {
				t.Errorf("%d changes; does it wait for a call now?", changes)
			}
		})
	})
	t.Run("ours does not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var changes atomic.Int32
			b := newBreaker(t, three, breaker.OnChange(func(breaker.Change) { changes.Add(1) }))
			end(t, b, times(3, failure)...)
			time.Sleep(time.Hour)
			wantState(t, b, breaker.Open)
			b.Counts()
			b.Totals()
			synctest.Wait()
			if got := changes.Load(); got != 1 {
				t.Errorf("%d changes, want 1", got)
			}
			end(t, b, neutral)
			wantState(t, b, breaker.HalfOpen)
		})
	})
}

func TestCallbackThatAsks(t *testing.T) {
	t.Run("plain gobreaker answers only when it is over", func(t *testing.T) {
		var p *gobreaker.TwoStepCircuitBreaker[struct{}]
		answered := make(chan struct{})
		p = plain(gobreaker.Settings{OnStateChange: func(string, gobreaker.State, gobreaker.State) {
			go func() {
				p.State()
				close(answered)
			}()
			select {
			case <-answered:
				t.Error("it answered; does it call outside of its lock by now?")
			case <-time.After(20 * time.Millisecond):
			}
		}})
		openPlain(t, p)
		<-answered
	})
	t.Run("ours answers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var b *breaker.Breaker
			var asked breaker.State
			b = newBreaker(t, three, breaker.OnChange(func(breaker.Change) {
				_, _ = b.Allow()
				b.Counts()
				b.Totals()
				b.SetMode(breaker.ObserveOnly)
				asked = b.State()
			}))
			end(t, b, times(3, failure)...)
			synctest.Wait()
			if asked != breaker.Open {
				t.Errorf("it was told %v, want open", asked)
			}
		})
	})
}

// A breaker around another: what the inner one rejects is not the doing of what
// is called.
func TestOwnRejections(t *testing.T) {
	t.Run("plain gobreaker opens by them", func(t *testing.T) {
		inner, outer := plain(gobreaker.Settings{}), plain(gobreaker.Settings{})
		openPlain(t, inner)
		for range 3 {
			done, _ := outer.Allow()
			_, err := inner.Allow()
			done(err)
		}
		if got := outer.State(); got != gobreaker.StateOpen {
			t.Errorf("is %v; does it know its own errors by now?", got)
		}
	})
	t.Run("ours does not", func(t *testing.T) {
		inner, outer := newBreaker(t, three), newBreaker(t, three)
		end(t, inner, times(3, failure)...)
		for range 100 {
			_, err := breaker.Do(outer, func() (int, error) {
				return breaker.Do(inner, func() (int, error) { return 1, nil })
			})
			if !errors.Is(err, breaker.ErrOpen) {
				t.Fatalf("error is %v, want ErrOpen", err)
			}
		}
		wantState(t, outer, breaker.Closed)
	})
}

// A server that hangs: every call takes until its deadline, and that is longer
// than the window.
func TestCallsLongerThanTheWindow(t *testing.T) {
	const window, deadline = time.Second, 2 * time.Second
	t.Run("plain gobreaker never sees them", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := plain(gobreaker.Settings{Interval: window, BucketPeriod: window / 10})
			for range 100 {
				done, err := p.Allow()
				if err != nil {
					t.Fatal("it opened; does it count when calls end by now?")
				}
				time.Sleep(deadline)
				done(errFailed)
			}
		})
	})
	t.Run("ours opens", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(t, breaker.Config{Window: window, MinRequests: 5})
			for range 5 {
				ticket := begin(t, b)
				go func() {
					time.Sleep(deadline)
					ticket.Done(failure)
				}()
			}
			time.Sleep(deadline)
			synctest.Wait()
			wantState(t, b, breaker.Open)
		})
	})
}

// Three failures in a row are three, however long that takes.
func TestFailuresFarApart(t *testing.T) {
	t.Run("plain gobreaker forgets them", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := plain(gobreaker.Settings{Interval: 10 * time.Second, BucketPeriod: time.Second})
			for range 100 {
				done, err := p.Allow()
				if err != nil {
					t.Fatal("it opened; does it remember by now?")
				}
				done(errFailed)
				time.Sleep(6 * time.Second)
			}
		})
	})
	t.Run("ours does not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(t, three)
			for range 3 {
				end(t, b, failure)
				time.Sleep(6 * time.Second)
			}
			wantState(t, b, breaker.Open)
		})
	})
}
