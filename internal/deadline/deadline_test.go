package deadline_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/bubble"
	"github.com/fairlead-go/fairlead/internal/deadline"
)

var errWhy = errors.New("the rules give it a second")

// Every context here has a second, and what is derived from it ends as it does.
func TestHowItEnds(t *testing.T) {
	left := errors.New("the user has left")
	tests := []struct {
		name  string
		end   func(c *deadline.Context, leave context.CancelCauseFunc)
		after time.Duration
		err   error
		cause error
	}{
		{"by itself", nil, time.Second, context.DeadlineExceeded, errWhy},
		{"with its parent", func(_ *deadline.Context, leave context.CancelCauseFunc) { leave(left) }, 0, context.Canceled, left},
		{"released", func(c *deadline.Context, _ context.CancelCauseFunc) { c.Release(); c.Release() }, 0, context.Canceled, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, leave := context.WithCancelCause(t.Context())
				defer leave(nil)
				var timers deadline.Timers
				c := timers.After(parent, balancer.Now(), time.Second, errWhy)
				defer c.Release()
				derived, cancel := context.WithCancel(c)
				defer cancel()
				if c.Err() != nil || context.Cause(c) != nil {
					t.Errorf("before its end: %v, %v", c.Err(), context.Cause(c))
				}
				begun := time.Now()
				if tt.end != nil {
					tt.end(c, leave)
					if c.Err() == nil {
						t.Error("it has not ended at once")
					}
				}
				<-c.Done()
				<-derived.Done()
				if took := time.Since(begun); took != tt.after {
					t.Errorf("it ended after %v", took)
				}
				for name, ctx := range map[string]context.Context{"itself": c, "derived": derived} {
					if ctx.Err() != tt.err || context.Cause(ctx) != tt.cause {
						t.Errorf("%s: %v because of %v, want %v because of %v", name, ctx.Err(), context.Cause(ctx), tt.err, tt.cause)
					}
				}
				select {
				case <-c.Done():
				default:
					t.Error("it is not done for those who ask late")
				}
			})
		})
	}
}

func TestDeadline(t *testing.T) {
	tests := []struct {
		name  string
		asked time.Duration // after it began
		want  time.Duration // from when it began
	}{
		{"at once", 0, time.Second},
		{"a moment later: all of it is left", 800 * time.Microsecond, time.Second + 800*time.Microsecond},
		{"later: that is gone", 300 * time.Millisecond, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var timers deadline.Timers
				begun := time.Now()
				c := timers.After(t.Context(), balancer.Now(), time.Second, errWhy)
				defer c.Release()
				time.Sleep(tt.asked)
				if left := c.Rest(balancer.Now()); left != time.Second-tt.asked {
					t.Errorf("%v are left", left)
				}
				for range 2 {
					if at, ok := c.Deadline(); !ok || at.Sub(begun) != tt.want {
						t.Errorf("the deadline is after %v", at.Sub(begun))
					}
				}
				if at, _ := c.Deadline(); time.Until(at) != c.Rest(balancer.Now()) {
					t.Errorf("%v are left until the deadline, and %v in all", time.Until(at), c.Rest(balancer.Now()))
				}
				<-c.Done()
				if took := time.Since(begun); took != tt.want {
					t.Errorf("it ended after %v, and said %v", took, tt.want)
				}
			})
		})
	}
}

func TestTheParentsDeadlineComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var timers deadline.Timers
		c := timers.After(parent, balancer.Now(), time.Second, errWhy)
		defer c.Release()
		own, _ := parent.Deadline()
		if at, _ := c.Deadline(); !at.Equal(own) {
			t.Errorf("the deadline is %v, that of the parent %v", at, own)
		}
		<-c.Done()
		if c.Err() != context.DeadlineExceeded || context.Cause(c) != context.DeadlineExceeded {
			t.Errorf("it ended with %v because of %v", c.Err(), context.Cause(c))
		}
	})
}

func TestLift(t *testing.T) {
	t.Run("in time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var timers deadline.Timers
			c := timers.After(t.Context(), balancer.Now(), time.Second, errWhy)
			for range 2 {
				if !c.Lift() {
					t.Error("it was too late")
				}
			}
			if at, ok := c.Deadline(); ok {
				t.Errorf("the deadline is still %v", at)
			}
			time.Sleep(time.Minute)
			if c.Err() != nil {
				t.Errorf("it ended with %v", c.Err())
			}
			c.Release()
			if c.Err() != context.Canceled {
				t.Errorf("released, it says %v", c.Err())
			}
		})
	})
	t.Run("too late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var timers deadline.Timers
			c := timers.After(t.Context(), balancer.Now(), time.Second, errWhy)
			defer c.Release()
			time.Sleep(2 * time.Second)
			if c.Lift() || context.Cause(c) != errWhy {
				t.Errorf("it was lifted, and says %v", context.Cause(c))
			}
		})
	})
	// A timer that is on its way must find that it was too late, or the context ends
	// although it was said that it would not; or it is that, and has ended.
	t.Run("at that moment", func(t *testing.T) {
		var timers deadline.Timers
		for n := range 2000 {
			c := timers.After(t.Context(), balancer.Now(), time.Duration(n)*time.Microsecond/20, errWhy)
			inTime := c.Lift()
			if ended := c.Err() != nil; ended == inTime {
				t.Fatalf("in time: %t, ended: %t", inTime, ended)
			}
			c.Release()
		}
	})
}

// Those who wait for the end are called once, and not if they leave before. None is
// called for the end of another context that has the timer next.
func TestWhoFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var timers deadline.Timers
		for range 3 {
			c := timers.After(t.Context(), balancer.Now(), time.Second, errWhy)
			var called, left atomic.Int32
			stops := make([]func() bool, 4)
			for n := range stops {
				stops[n] = context.AfterFunc(c, func() {
					if n%2 == 0 {
						left.Add(1)
					} else {
						called.Add(1)
					}
				})
			}
			if !stops[0]() || !stops[2]() || stops[2]() {
				t.Error("those who leave are told that they had been called")
			}
			time.Sleep(2 * time.Second)
			c.Release()
			synctest.Wait()
			if called.Load() != 2 || left.Load() != 0 || stops[1]() {
				t.Errorf("called %d of 2 who stayed, and %d who had left", called.Load(), left.Load())
			}
			late := make(chan struct{})
			context.AfterFunc(c, func() { close(late) })
			<-late
		}
	})
}

type key string

// A context with a value over it, however that was made, still ends as it does, and
// what is derived from that is no goroutine.
func TestValuesHideNothing(t *testing.T) {
	for name, over := range map[string]func(ctx context.Context) context.Context{
		"that stand beside it": func(ctx context.Context) context.Context {
			return deadline.WithValues(ctx, context.WithValue(context.Background(), key("own"), "ours"))
		},
		"that others derived": func(ctx context.Context) context.Context {
			return deadline.Unhidden(context.WithValue(ctx, key("own"), "ours"), ctx)
		},
		"twice": func(ctx context.Context) context.Context {
			once := deadline.Unhidden(context.WithValue(ctx, key("own"), "hidden"), ctx)
			return deadline.Unhidden(context.WithValue(once, key("own"), "ours"), once)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var timers deadline.Timers
				parent := context.WithValue(t.Context(), key("parent"), "theirs")
				c := timers.After(parent, balancer.Now(), time.Second, errWhy)
				defer c.Release()
				before := bubble.Goroutines()
				derived, cancel := context.WithCancel(over(c))
				defer cancel()
				if now := bubble.Goroutines(); now != before {
					t.Errorf("%d goroutines, %d before", now, before)
				}
				if derived.Value(key("own")) != "ours" || derived.Value(key("parent")) != "theirs" || derived.Value(key("none")) != nil {
					t.Errorf("it holds %v and %v", derived.Value(key("own")), derived.Value(key("parent")))
				}
				<-derived.Done()
				if derived.Err() != context.DeadlineExceeded || context.Cause(derived) != errWhy {
					t.Errorf("it ended with %v because of %v", derived.Err(), context.Cause(derived))
				}
			})
		})
	}
	if plain := context.WithValue(t.Context(), key("own"), "ours"); deadline.Unhidden(plain, t.Context()) != plain {
		t.Error("what hides nothing was changed")
	}
}

// A timer serves one context after the other, and ends each at its own time only.
func TestTimersServeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var timers deadline.Timers
		for range 100 {
			c := timers.After(t.Context(), balancer.Now(), time.Second, errWhy)
			time.Sleep(990 * time.Millisecond)
			if c.Err() != nil {
				t.Fatalf("it ended with %v", c.Err())
			}
			c.Release()
		}
		c := timers.After(t.Context(), balancer.Now(), time.Minute, errWhy)
		defer c.Release()
		time.Sleep(59 * time.Second)
		if c.Err() != nil {
			t.Errorf("it ended early with %v", c.Err())
		}
		<-c.Done()
	})
}

// Whatever comes at the same time, it ends once, and nobody waits for ever.
func TestAtTheSameTime(t *testing.T) {
	var timers deadline.Timers
	for n := range 500 {
		parent, leave := context.WithCancel(t.Context())
		c := timers.After(parent, balancer.Now(), time.Duration(n%50)*time.Microsecond, errWhy)
		derived, cancel := context.WithCancel(c)
		go leave()
		go c.Release()
		<-derived.Done()
		<-c.Done()
		if err := c.Err(); derived.Err() != err || err == nil {
			t.Fatalf("it ended with %v, what is derived with %v", err, derived.Err())
		}
		cancel()
	}
}
