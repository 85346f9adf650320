package transport_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// asError wants an *Error.
func asError(t *testing.T, err error) *transport.Error {
	t.Helper()
	e, ok := errors.AsType[*transport.Error](err)
	if !ok {
		t.Fatalf("error is %T: %v", err, err)
	}
	return e
}

// In each case two stages have something to say against the call. The earlier
// has the word, and nothing of the later is done.
func TestTheOrderOfStages(t *testing.T) {
	ended := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	tests := []struct {
		name  string
		mesh  func(t *testing.T) *transport.Mesh
		call  *transport.Call
		stage transport.Stage
		cause error
	}{
		{"the service before the deadline",
			func(t *testing.T) *transport.Mesh { return newMesh(t, orders("a")) },
			&transport.Call{Service: "Orders"}, transport.StagePick, discovery.ErrInvalid},
		{"a closed mesh before the deadline",
			func(t *testing.T) *transport.Mesh {
				m := knowing(t, newMesh(t, orders("a")))
				m.Close(t.Context())
				return m
			},
			get(), transport.StageClosed, transport.ErrClosed},
		{"the deadline before the list",
			func(t *testing.T) *transport.Mesh { return newMesh(t, make(scripted)) },
			get(), transport.StageList, context.Canceled},
		{"the deadline before the pick",
			func(t *testing.T) *transport.Mesh { return knowing(t, newMesh(t, orders())) },
			get(), transport.StageSend, context.Canceled},
		{"the deadline before the wait for an instance",
			func(t *testing.T) *transport.Mesh { return knowing(t, newMesh(t, orders())) },
			waiting(), transport.StageSend, context.Canceled},
		{"the deadline before the attempt",
			func(t *testing.T) *transport.Mesh { return knowing(t, newMesh(t, orders("a"))) },
			get(), transport.StageSend, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.mesh(t).Do(ended(t.Context()), tt.call, never(t))
			if e := asError(t, err); e.Stage != tt.stage || !errors.Is(err, tt.cause) {
				t.Errorf("stage %s: %v", e.Stage, err)
			}
		})
	}
}

// Fault row 43, a deadline that has passed: nothing is picked and nobody is
// judged, and the cause that the caller gave is in the error.
func TestACallWithoutTimeIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := knowing(t, newMesh(t, fleet))
		before := service(t, m)
		late := errors.New("the user has left")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
		defer cancel()
		time.Sleep(2 * time.Second)

		err := m.Do(ctx, get(), never(t))
		if e := asError(t, err); !e.Timeout() || e.Class != transport.Timeout || e.Attempts != 0 || e.MaybeExecuted || !errors.Is(err, late) {
			t.Errorf("error is %+v", e)
		}
		after := service(t, m)
		if !slices.Equal(before.Instances, after.Instances) || after.BudgetRemaining != before.BudgetRemaining || len(fleet.Called()) != 0 {
			t.Errorf("it left traces: %+v", after)
		}
	})
}

// What is made again by default, and what is not. The first instance fails as
// told, the others answer.
func TestDefaultRetries(t *testing.T) {
	tests := []struct {
		name   string
		call   *transport.Call
		reply  fairleadtest.Reply
		called string
		fails  bool
	}{
		{"an answer", get(), fairleadtest.OK(), "a", false},
		{"unsent", put(), fairleadtest.Refused(), "a b", false},
		{"unsent, idempotent", get(), fairleadtest.Refused(), "a b", false},
		{"lost, idempotent", get(), fairleadtest.Reset(), "a b", false},
		{"lost, not idempotent", put(), fairleadtest.Reset(), "a", true},
		{"lost in the middle of the answer", get(), fairleadtest.Cut(), "a", true},
		{"a failure that was answered", get(), fairleadtest.Status(500), "a", false},
		{"overload", get(), fairleadtest.Status(503), "a", false},
		{"a timeout of its own, sent", get(), fairleadtest.Reply{Outcome: transport.Outcome{Class: transport.Timeout, Err: context.DeadlineExceeded, Sent: true}}, "a", true},
		{"a timeout of its own, unsent", get(), fairleadtest.Reply{Outcome: transport.Outcome{Class: transport.Timeout, Err: context.DeadlineExceeded}}, "a", true},
		{"neutral", get(), fairleadtest.Reply{Outcome: transport.Outcome{Class: transport.Neutral, Err: errors.New("ours")}}, "a", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b", "c")
				fleet.Play("a", tt.reply)
				m := newMesh(t, fleet, inAnyCase())
				call := *tt.call
				if err := m.Do(t.Context(), &call, fleet.Door(m)); (err != nil) != tt.fails {
					t.Errorf("error is %v", err)
				}
				if got := strings.Join(fleet.Called(), " "); got != tt.called {
					t.Errorf("called %s, want %s", got, tt.called)
				}
				if got, want := call.Attempts(), len(fleet.Called()); got != want {
					t.Errorf("%d attempts are told, %d were made", got, want)
				}
			})
		})
	}
}

func TestMaxAttempts(t *testing.T) {
	for max, want := range map[int]string{0: "a b c", 1: "a", 2: "a b", 5: "a b c d e"} {
		synctest.Test(t, func(t *testing.T) {
			fleet := orders("a", "b", "c", "d", "e", "f")
			for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
				fleet.Play(id, fairleadtest.Refused())
			}
			m := newMesh(t, fleet, inAnyCase(), transport.WithRetry(retry.Policy{MaxAttempts: max}))
			err := m.Do(t.Context(), put(), fleet.Door(m))
			if got := strings.Join(fleet.Called(), " "); got != want {
				t.Errorf("MaxAttempts %d: called %s, want %s", max, got, want)
			}
			if e := asError(t, err); e.Attempts != len(fleet.Called()) || e.MaybeExecuted {
				t.Errorf("MaxAttempts %d: %+v", max, e)
			}
		})
	}
}

// Trap 32, the retry that goes to the same node again: whatever the policy
// says, another attempt goes to an instance that was not tried.
func TestTrap32AnotherInstanceIsCertain(t *testing.T) {
	for _, n := range []int{2, 3, 20} {
		for range 50 {
			synctest.Test(t, func(t *testing.T) {
				var ids []string
				for i := range n {
					ids = append(ids, string(rune('a'+i)))
				}
				fleet := orders(ids...)
				for _, id := range ids {
					fleet.Play(id, fairleadtest.Refused())
				}
				// This policy has but one opinion.
				var stubborn fairleadtest.Picks
				stubborn.To("b")
				m := newMesh(t, fleet, transport.WithPolicy(&stubborn), transport.WithRetry(retry.Policy{MaxAttempts: min(n, 5)}))
				m.Do(t.Context(), get(), fleet.Door(m))
				called := fleet.Called()
				if called[0] != "b" || len(called) != min(n, 5) {
					t.Fatalf("called %v", called)
				}
				if distinct := slices.Compact(slices.Sorted(slices.Values(called))); len(distinct) != len(called) {
					t.Fatalf("an instance was tried twice: %v", called)
				}
			})
		}
	}
}

// With three instances of which two were tried, the third is chosen.
func TestTheLastUntriedInstanceIsFound(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			fleet := orders("a", "b", "c")
			var picks fairleadtest.Picks
			picks.To("a")
			fleet.Play("a", fairleadtest.Reset())
			m := newMesh(t, fleet, transport.WithPolicy(&picks))
			door := fleet.Door(m)
			call := get()
			// The second attempt is lost wherever it goes, the third is made
			// where the others were not.
			err := m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				o := door.Try(ctx, call)
				if call.Attempts() == 2 {
					return fairleadtest.Reset().Outcome
				}
				return o
			}))
			called := slices.Sorted(slices.Values(fleet.Called()))
			if err != nil || !slices.Equal(called, []string{"a", "b", "c"}) {
				t.Fatalf("called %v: %v", fleet.Called(), err)
			}
		})
	}
}

// Where there is nobody else, one that was tried is better than nobody.
func TestAnInstanceIsTriedAgainIfThereIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		fleet.Play("a", fairleadtest.Refused(), fairleadtest.Refused(), fairleadtest.OK())
		m := newMesh(t, fleet)
		if err := m.Do(t.Context(), put(), fleet.Door(m)); err != nil || len(fleet.Called()) != 3 {
			t.Errorf("called %v: %v", fleet.Called(), err)
		}
	})
}

// The second attempt goes elsewhere at once; the third waits.
func TestBackoffBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a", "b", "c")
		for _, id := range []string{"a", "b", "c"} {
			fleet.Play(id, fairleadtest.Refused())
		}
		m := newMesh(t, fleet, inAnyCase())
		waited := time.Duration(0)
		for range 20 {
			fleet.Forget()
			m.Do(t.Context(), put(), fleet.Door(m))
			a := fleet.Attempts()
			if !a[1].Start.Equal(a[0].Start) {
				t.Errorf("the second waited %v", a[1].Start.Sub(a[0].Start))
			}
			third := a[2].Start.Sub(a[1].Start)
			if third >= 25*time.Millisecond {
				t.Errorf("the third waited %v", third)
			}
			waited += third
		}
		if waited == 0 {
			t.Error("the third never waits")
		}
	})
}

// Fault row 44, the caller gives up: no further attempt, and the caller is told
// of its own doing as well as of what went wrong before.
func TestCancelledDuringBackoff(t *testing.T) {
	tests := []struct {
		name  string
		ctx   func(context.Context) (context.Context, context.CancelFunc)
		class transport.Class
		cause error
	}{
		{"cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Nanosecond, cancel)
			return ctx, cancel
		}, transport.Neutral, context.Canceled},
		{"a deadline that comes before the turn of the next attempt", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Nanosecond)
		}, transport.Lost, transport.ErrNoTime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b", "c")
				fleet.Play("a", fairleadtest.Reset())
				fleet.Play("b", fairleadtest.Refused())
				m := newMesh(t, fleet, inAnyCase())
				knowing(t, m)
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				err := m.Do(ctx, get(), fleet.Door(m))
				e := asError(t, err)
				if e.Class != tt.class || e.Timeout() != (tt.class == transport.Timeout) || !errors.Is(err, tt.cause) || !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("error is %+v", e)
				}
				if e.Attempts != 2 || e.Instance != "b" || !e.MaybeExecuted {
					t.Errorf("error is %+v", e)
				}
				if got := len(fleet.Called()); got != 2 {
					t.Errorf("%d attempts", got)
				}
				if got := service(t, m).Retries; got != 1 {
					t.Errorf("%d retries are counted, 1 was made", got)
				}
			})
		})
	}
}

// Whatever became of later attempts, an earlier one may have been executed.
func TestMaybeExecutedIsOfAllAttempts(t *testing.T) {
	lost := fairleadtest.Reset()
	tests := []struct {
		name  string
		then  transport.Outcome // of the second attempt
		maybe bool
		first fairleadtest.Reply
	}{
		{"lost, then refused", fairleadtest.Refused().Outcome, true, lost},
		{"lost, then the door cannot send it again", transport.Outcome{Err: errors.New("the body is gone")}, true, lost},
		{"lost, then nobody is there", transport.Outcome{Err: &transport.Error{Service: "orders", Stage: transport.StagePick, Err: balancer.ErrNoInstances}}, true, lost},
		{"refused, then refused", fairleadtest.Refused().Outcome, false, fairleadtest.Refused()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b")
				fleet.Play("a", tt.first)
				m := newMesh(t, fleet, inAnyCase(), transport.WithRetry(retry.Policy{MaxAttempts: 2}))
				door := fleet.Door(m)
				err := m.Do(t.Context(), get(), tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
					if call.Attempts() == 0 {
						return door.Try(ctx, call)
					}
					return tt.then
				}))
				if e := asError(t, err); e.MaybeExecuted != tt.maybe {
					t.Errorf("error is %+v", e)
				}
			})
		})
	}
}

// What the server itself said is the caller's to see as it is.
func TestTheServersOwnErrorIsPassedOn(t *testing.T) {
	m := newMesh(t, orders("a"))
	own := errors.New("no such order")
	err := m.Do(t.Context(), get(), acquiring(m, func(transport.Lease) transport.Outcome {
		return transport.Outcome{Class: transport.Failure, Err: own, Sent: true, Answered: true}
	}))
	if err != own {
		t.Errorf("error is %v", err)
	}
}

// A fixed fraction of connection loss never turns into a storm: executions stay
// within 1.2 × calls + 10/s + 100, and a call that may not be executed twice is
// not.
func TestTheBudgetBoundsAmplification(t *testing.T) {
	for _, lost := range []struct {
		name    string
		replies []fairleadtest.Reply // played in a loop by every instance
	}{
		{"a third of connections", []fairleadtest.Reply{fairleadtest.OK(), fairleadtest.Reset(), fairleadtest.OK()}},
		{"all connections", []fairleadtest.Reply{fairleadtest.Reset()}},
	} {
		t.Run(lost.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rate, seconds = 200, 30
				fleet := orders("a", "b", "c", "d")
				for i, id := range []string{"a", "b", "c", "d"} {
					var script []fairleadtest.Reply
					for n := range rate * seconds * 3 {
						script = append(script, lost.replies[(n+i)%len(lost.replies)])
					}
					fleet.Play(id, script...)
				}
				m := knowing(t, newMesh(t, fleet))
				var calls sync.WaitGroup
				for range rate * seconds {
					calls.Go(func() { m.Do(t.Context(), get(), fleet.Door(m)) })
					calls.Go(func() {
						call := put()
						if m.Do(t.Context(), call, fleet.Door(m)); call.Attempts() != 1 {
							t.Errorf("a call that is not idempotent was executed %d times", call.Attempts())
						}
					})
					time.Sleep(time.Second / rate)
				}
				calls.Wait()
				const made = 2 * rate * seconds
				executed := len(fleet.Attempts())
				if most := 1.2*made + 10*seconds + 100; float64(executed) > most {
					t.Errorf("%d calls were executed %d times, at most %v are allowed", made, executed, most)
				}
				d := service(t, m)
				if int(d.Retries) != executed-made {
					t.Errorf("%d retries are counted, %d were made", d.Retries, executed-made)
				}
				if lost.name == "all connections" && (d.BudgetRefused == 0 || executed < made*11/10) {
					t.Errorf("%d refused, %d executed: the test tests nothing", d.BudgetRefused, executed)
				}
			})
		})
	}
}

// A spent budget is told: to the caller, in the log, in the dump.
func TestASpentBudgetIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		fleet := orders("a", "b")
		for _, id := range []string{"a", "b"} {
			fleet.Play(id, fairleadtest.Refused())
		}
		m := newMesh(t, fleet, log.option(), transport.WithBudget(retry.BudgetConfig{MinPerSecond: 0.05}))
		err := m.Do(t.Context(), get(), fleet.Door(m))
		if e := asError(t, err); e.Attempts != 1 || !errors.Is(err, retry.ErrBudgetSpent) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("error is %v", err)
		}
		for range 20 {
			m.Do(t.Context(), get(), fleet.Door(m))
			time.Sleep(time.Second)
		}
		if got := log.lines("budget spent"); got < 2 || got > 3 {
			t.Errorf("logged %d times in 20 s", got)
		}
		if got := service(t, m).BudgetRefused; got < 15 {
			t.Errorf("the dump says %d", got)
		}
	})
}

// Trap 25, own rejections and cancellations fed back as failures: nobody is
// judged by what is not its doing.
func TestTrap25NeutralOutcomesJudgeNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := newMesh(t, fleet)
		m.Do(t.Context(), get(), fleet.Door(m))
		before := service(t, m).Instances[0].Stats
		fleet.Play("a", fairleadtest.Hung())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		err := m.Do(ctx, get(), fleet.Door(m))
		if e := asError(t, err); e.Class != transport.Neutral || e.Timeout() || !errors.Is(err, context.Canceled) || !e.MaybeExecuted {
			t.Errorf("error is %+v", e)
		}
		after := service(t, m).Instances[0].Stats
		before.Idle, after.Idle = 0, 0
		if before != after {
			t.Errorf("the instance was %+v and is %+v", before, after)
		}
	})
}

// Trap 31, locks and garbage in the pick: neither half of a call that goes well
// allocates.
func TestTrap31ACallAllocatesNothing(t *testing.T) {
	for _, level := range []transport.Level{transport.Off, transport.Metrics} {
		t.Run(level.String(), func(t *testing.T) {
			m := meshOf(t, 10, transport.WithTelemetry(level))
			warm(t, m)
			ctx := t.Context()
			call := new(transport.Call)
			try := transport.Attempt(instant{m})
			if got := testing.AllocsPerRun(1000, func() {
				*call = *get()
				if err := m.Do(ctx, call, try); err != nil {
					t.Fatal(err)
				}
			}); got != 0 {
				t.Errorf("Do: %v allocations", got)
			}
			if got := testing.AllocsPerRun(1000, func() {
				*call = *get()
				lease, err := m.Acquire(ctx, call, nil)
				if err != nil {
					t.Fatal(err)
				}
				lease.Done(transport.Outcome{Class: transport.Success, Sent: true, Answered: true})
			}); got != 0 {
				t.Errorf("Acquire and Done: %v allocations", got)
			}
		})
	}
}
