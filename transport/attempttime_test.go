package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// perTry is a rule that bounds attempts, and says what is retried.
func perTry(timeout, attempt time.Duration, on ...string) transport.Option {
	return ruled(rule.Spec{Service: "orders", Timeout: rule.Duration(timeout),
		Retries: rule.Retries{PerTryTimeout: rule.Duration(attempt), RetryOn: on}})
}

func attemptTimeout(d time.Duration, on retry.Condition) transport.Option {
	return transport.WithRetry(retry.Policy{AttemptTimeout: d, On: on})
}

// Whose time was up shows in the class, in the text, and by errors.Is.
func TestWhoseTimeWasUp(t *testing.T) {
	const attempt, call = "an attempt to reach orders is given", "the rules of orders give it"
	tests := []struct {
		name     string
		options  []transport.Option
		deadline time.Duration // of the caller; 0: none
		took     time.Duration
		says     string
		not      string
		attempts int
	}{
		{"the attempt's, by rule", []transport.Option{perTry(0, time.Second)}, 0, time.Second, attempt + " 1s", call, 1},
		{"the attempt's, by code", []transport.Option{attemptTimeout(time.Second, 0)}, 0, time.Second, attempt + " 1s", call, 1},
		{"the rule comes before code", []transport.Option{perTry(0, time.Second), attemptTimeout(time.Minute, 0)}, 0, time.Second, attempt + " 1s", call, 1},
		{"the caller's comes first", []transport.Option{perTry(0, time.Second)}, time.Second / 2, time.Second / 2, "deadline exceeded", attempt, 1},
		{"the rule's for the call comes first", []transport.Option{perTry(time.Second, time.Second)}, 0, time.Second, call + " 1s", attempt, 1},
		{"the attempt's comes before both", []transport.Option{perTry(2*time.Second, time.Second)}, 3 * time.Second, time.Second, attempt + " 1s", call, 1},
		{"retried on timeout, then the call's", []transport.Option{perTry(2500*time.Millisecond, time.Second, "timeout")}, 0, 2500 * time.Millisecond, call + " 2.5s", attempt, 3},
		{"retried on timeout, until no attempt is left", []transport.Option{perTry(0, time.Second, "timeout")}, 0, 3 * time.Second, attempt + " 1s", call, 3},
		{"not retried where only others are", []transport.Option{perTry(0, time.Second, "reset", "connect-failure")}, 0, time.Second, attempt, call, 1},
	}
	for _, tt := range tests {
		for _, parts := range []bool{false, true} {
			name := tt.name
			if parts {
				name += ", in parts"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fleet := orders("a", "b", "c")
					for _, id := range []string{"a", "b", "c"} {
						fleet.Play(id, fairleadtest.Hung())
					}
					m := knowing(t, newMesh(t, fleet, append([]transport.Option{inAnyCase()}, tt.options...)...))
					settled()
					ctx, cancel := t.Context(), context.CancelFunc(func() {})
					if tt.deadline > 0 {
						ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					}
					defer cancel()
					call, begun := get(), time.Now()
					call.AnswersInParts = parts
					door, last := fleet.Door(m), ctx
					err := m.Do(ctx, call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
						last = ctx
						return door.Try(ctx, call)
					}))
					took := time.Since(begun).Round(100 * time.Millisecond) // but for the backoff
					e := asError(t, err)
					if took != tt.took || !e.Timeout() || e.Class != transport.Timeout || !errors.Is(err, context.DeadlineExceeded) || e.Attempts != tt.attempts {
						t.Errorf("after %v: %+v", took, e)
					}
					if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), tt.not) {
						t.Errorf("error is %v", err)
					}
					if last.Err() != context.DeadlineExceeded || !errors.Is(context.Cause(last), context.DeadlineExceeded) {
						t.Errorf("the context of the last attempt: %v, %v", last.Err(), context.Cause(last))
					}
				})
			})
		}
	}
}

// Where an answer has begun in time, the rest of it has the time of the call.
func TestABegunAnswerHasTheTimeOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a"), perTry(time.Minute, time.Second)))
		settled()
		call := get()
		call.AnswersInParts = true
		var attempt context.Context
		err := m.Do(t.Context(), call, acquiringIn(m, func(ctx context.Context) transport.Outcome {
			attempt = ctx
			if d, _ := ctx.Deadline(); time.Until(d) != time.Second {
				t.Errorf("%v are left for the beginning", time.Until(d))
			}
			time.Sleep(time.Second / 2)
			if !call.Began() {
				t.Error("it began too late")
			}
			return ended
		}))
		time.Sleep(30 * time.Second)
		d, _ := attempt.Deadline()
		if left := time.Until(d); err != nil || attempt.Err() != nil || left != 29500*time.Millisecond {
			t.Errorf("then %v are left, %v: %v", left, attempt.Err(), err)
		}
		call.Ended(call.Turn())
		if attempt.Err() != context.Canceled {
			t.Errorf("once it has ended: %v", attempt.Err())
		}
	})
}

// acquiringIn is acquiring for those who look at the context.
func acquiringIn(m *transport.Mesh, f func(context.Context) transport.Outcome) transport.Attempt {
	return tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
		lease, err := m.Acquire(ctx, call, nil)
		if err != nil {
			return transport.Outcome{Err: err}
		}
		o := f(ctx)
		lease.Done(o)
		return o
	})
}

func TestAnAnswerThatBeganTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a"), attemptTimeout(time.Second, 0)))
		call := get()
		call.AnswersInParts = true
		m.Do(t.Context(), call, acquiringIn(m, func(ctx context.Context) transport.Outcome {
			time.Sleep(2 * time.Second)
			if call.Began() {
				t.Error("it began in time")
			}
			return transport.Outcome{Class: transport.Timeout, Err: context.Cause(ctx)}
		}))
	})
}

// An answer in whose place another came does not end the time of the call: only
// that which is handed out does, also where it had ended before Do returned.
func TestOnlyTheAnswerHandedOutEndsTheCall(t *testing.T) {
	for _, early := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := knowing(t, newMesh(t, orders("a", "b"), inAnyCase(), perTry(time.Minute, 0, "overload")))
			settled()
			call := get()
			var contexts []context.Context
			err := m.Do(t.Context(), call, acquiringIn(m, func(ctx context.Context) transport.Outcome {
				contexts = append(contexts, ctx)
				if early || len(contexts) == 1 {
					call.Ended(call.Turn())
				}
				if len(contexts) == 1 {
					return fairleadtest.Status(503).Outcome
				}
				if ctx.Err() != nil {
					t.Error("the first answer ended the call")
				}
				return ended
			}))
			if err != nil || len(contexts) != 2 {
				t.Fatalf("%d attempts: %v", len(contexts), err)
			}
			call.Ended(1) // again, by somebody who is late
			if got := contexts[1].Err() != nil; got != early {
				t.Errorf("once Do has returned: %v", contexts[1].Err())
			}
			call.Ended(2)
			if contexts[1].Err() == nil {
				t.Error("the context outlives the answer")
			}
		})
	}
}

// Each attempt's context has ended when the next begins, and the last one's when Do
// returns an error.
func TestContextsOfAttemptsEnd(t *testing.T) {
	for _, parts := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := knowing(t, newMesh(t, orders("a", "b", "c"), inAnyCase(), attemptTimeout(time.Hour, retry.Reset)))
			var before context.Context
			call := get()
			call.AnswersInParts = parts
			err := m.Do(t.Context(), call, acquiringIn(m, func(ctx context.Context) transport.Outcome {
				if before != nil && before.Err() != context.Canceled {
					t.Errorf("the one before: %v", before.Err())
				}
				before = ctx
				return fairleadtest.Reset().Outcome
			}))
			if e := asError(t, err); e.Attempts != 3 || before.Err() != context.Canceled {
				t.Errorf("%d attempts, the last: %v", e.Attempts, before.Err())
			}
		})
	}
}

// What needs no timer of its own gets none, and no context.
func TestNoContextWithoutNeed(t *testing.T) {
	tests := []struct {
		name    string
		options []transport.Option
		stream  bool
		timeout time.Duration
	}{
		{"nothing is said", nil, false, time.Minute},
		{"the caller's deadline comes first", []transport.Option{attemptTimeout(time.Minute, 0)}, false, time.Second},
		{"it comes at the same moment", []transport.Option{attemptTimeout(time.Minute, 0)}, false, time.Minute},
		{"a stream", []transport.Option{attemptTimeout(time.Second, 0)}, true, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := knowing(t, newMesh(t, orders("a"), tt.options...))
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				call := get()
				call.Stream = tt.stream
				err := m.Do(ctx, call, acquiringIn(m, func(attempt context.Context) transport.Outcome {
					if attempt != ctx {
						t.Error("the attempt has a context of its own")
					}
					return ended
				}))
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The wait between two attempts is no part of the next one's time, also where the one
// before did not come to an instance.
func TestTheWaitBeforeAnAttemptIsNotItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backoff := retry.BackoffConfig{BaseInterval: 5 * time.Second, MaxInterval: 5 * time.Second}
		m := knowing(t, newMesh(t, orders("a", "b", "c"), inAnyCase(),
			transport.WithRetry(retry.Policy{MaxAttempts: 3, AttemptTimeout: time.Second, Backoff: backoff})))
		call, tries := get(), 0
		err := m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
			tries++
			if at, _ := ctx.Deadline(); time.Until(at) != time.Second {
				t.Errorf("attempt %d has %v", tries, time.Until(at))
			}
			if tries == 1 {
				lease, err := m.Acquire(ctx, call, nil)
				if err != nil {
					t.Fatal(err)
				}
				lease.Done(transport.Outcome{Class: transport.Lost, Err: errors.New("gone")})
			}
			return transport.Outcome{Class: transport.Lost, Err: errors.New("gone")}
		}))
		if tries != 3 || err == nil {
			t.Errorf("%d attempts, %v", tries, err)
		}
	})
}
