package transport_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// holding is an attempt that keeps its answer until it is told to throw it away.
type holding struct {
	transport.Attempt
	discarded atomic.Int32
}

func (h *holding) Discard() { h.discarded.Add(1) }

func answered(code int) fairleadtest.Reply {
	r := fairleadtest.Status(code)
	r.Outcome.Code = code
	return r
}

func pushing(code int, after time.Duration) fairleadtest.Reply {
	r := answered(code)
	r.Outcome.RetryAfter = after
	return r
}

// After what another attempt is made, as rules say, and what becomes of answers.
func TestRetryOn(t *testing.T) {
	stop := answered(503)
	stop.Outcome.NoRetry = true
	grpc := fairleadtest.Reply{Outcome: transport.Outcome{Class: transport.Failure, Err: errors.New("unavailable"), Sent: true, Answered: true, Code: 14}}
	tests := []struct {
		name     string
		on       string
		reply    fairleadtest.Reply
		call     *transport.Call
		attempts int
	}{
		{"overload", "overload", answered(503), get(), 3},
		{"overload, not idempotent", "overload", answered(503), put(), 1},
		{"overload is no server failure", "server-failure", answered(503), get(), 1},
		{"a server failure", "server-failure", answered(500), get(), 3},
		{"the status", "502 503", answered(503), get(), 3},
		{"another status", "502", answered(503), get(), 1},
		{"the code of gRPC", "UNAVAILABLE", grpc, get(), 3},
		{"another code", "INTERNAL", grpc, get(), 1},
		{"only what is said", "overload", fairleadtest.Reset(), get(), 1},
		{"reset", "reset", fairleadtest.Reset(), get(), 3},
		{"unsent, not idempotent", "connect-failure", fairleadtest.Refused(), put(), 3},
		{"the server wants none", "503", stop, get(), 1},
		{"it wants it later", "503", pushing(503, time.Second), get(), 3},
		{"it wants it in ten seconds", "503", pushing(503, 10*time.Second), get(), 3},
		{"it wants it much later", "503", pushing(503, 10*time.Second+1), get(), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b", "c", "d")
				for _, id := range []string{"a", "b", "c", "d"} {
					fleet.Play(id, tt.reply)
				}
				m := knowing(t, newMesh(t, fleet, inAnyCase(), ruled(rule.Spec{Service: "orders", Retries: rule.Retries{RetryOn: strings.Fields(tt.on)}})))
				settled()
				call, door, begun := *tt.call, &holding{Attempt: fleet.Door(m)}, time.Now()
				before := service(t, m).BudgetRemaining
				err := m.Do(t.Context(), &call, door)
				if len(fleet.Called()) != tt.attempts || call.Attempts() != tt.attempts || call.Tries() != tt.attempts {
					t.Errorf("called %v", fleet.Called())
				}
				if got := int(door.discarded.Load()); got != tt.attempts-1 {
					t.Errorf("%d answers were thrown away", got)
				}
				if (err == nil) != (tt.reply.Outcome.Err == nil) || call.Failed() != (err == nil) {
					t.Errorf("the answer is not handed out: %v", err)
				}
				if tt.reply.Outcome.Answered && err != nil && err != tt.reply.Outcome.Err {
					t.Errorf("what the server said is not passed on as it is: %v", err)
				}
				if cost := before - service(t, m).BudgetRemaining; cost != tt.attempts-1 && tt.reply.Outcome.RetryAfter < 5*time.Second { // later it has its own again
					t.Errorf("it cost %d retries", cost)
				}
				if wish := tt.reply.Outcome.RetryAfter; wish > 0 && tt.attempts > 1 {
					if took, n := time.Since(begun), time.Duration(tt.attempts-1); took < n*wish || took > n*wish*3/2 {
						t.Errorf("it took %v", took)
					}
				} else if time.Since(begun) > time.Second {
					t.Errorf("it took %v", time.Since(begun))
				}
			})
		})
	}
}

// No call waits for what comes too late, and none is told that it did.
func TestNoTimeForAnotherAttempt(t *testing.T) {
	lost := fairleadtest.Reset()
	lost.Outcome.RetryAfter = 2 * time.Second
	for name, reply := range map[string]fairleadtest.Reply{"an answer": pushing(503, 2*time.Second), "an error": lost} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b")
				fleet.Play("a", reply)
				m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithRetry(retry.Policy{On: retry.Reset | retry.Overload})))
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				before, begun := service(t, m).BudgetRemaining, time.Now()
				call, door := get(), &holding{Attempt: fleet.Door(m)}
				err := m.Do(ctx, call, door)
				if took := time.Since(begun); took != 0 || door.discarded.Load() != 0 || service(t, m).BudgetRemaining != before {
					t.Errorf("it took %v, %d answers were thrown away", took, door.discarded.Load())
				}
				if reply.Outcome.Err == nil && (err != nil || !call.Failed()) || reply.Outcome.Err != nil && (!errors.Is(err, transport.ErrNoTime) || !errors.Is(err, reply.Outcome.Err)) {
					t.Errorf("error is %v", err)
				}
			})
		})
	}
}

// Who gives up while an answer was thrown away and the next is waited for gets an
// error of the mesh, with the reason.
func TestCancelledWhileAnAnswerIsGone(t *testing.T) {
	grpc := pushing(503, time.Second)
	grpc.Outcome.Err = errors.New("unavailable")
	for name, reply := range map[string]fairleadtest.Reply{"an answer": pushing(503, time.Second), "an error of the server": grpc} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b")
				fleet.Play("a", reply)
				m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithRetry(retry.Policy{On: retry.Overload})))
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second/2, cancel)
				err := m.Do(ctx, get(), fleet.Door(m))
				if e := asError(t, err); e.Class != transport.Neutral || !errors.Is(err, context.Canceled) || !e.MaybeExecuted {
					t.Errorf("error is %+v", e)
				}
			})
		})
	}
}

// With the budget spent, the answer at hand is handed out as it is.
func TestASpentBudgetLeavesTheAnswer(t *testing.T) {
	shared := retry.Policy{On: retry.Overload | retry.ConnectFailure}
	tests := map[string]struct {
		option transport.Option
		shared int64
	}{
		"of the service":  {transport.WithBudget(retry.BudgetConfig{MinPerSecond: 0.01}), 0},
		"of all together": {transport.WithSharedBudget(budgetOf(0.01)), 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b")
				fleet.Play("a", answered(503))
				m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithRetry(shared), tt.option))
				call, door := get(), &holding{Attempt: fleet.Door(m)}
				if err := m.Do(t.Context(), call, door); err != nil || !call.Failed() || door.discarded.Load() != 0 || call.Attempts() != 1 {
					t.Errorf("%d attempts, %d answers thrown away: %v", call.Attempts(), door.discarded.Load(), err)
				}
				d := service(t, m)
				if d.SharedBudgetRefused != tt.shared || d.BudgetRefused != 1-tt.shared {
					t.Errorf("refused %d by its own budget, %d by the shared one", d.BudgetRefused, d.SharedBudgetRefused)
				}
				fleet.Play("b", fairleadtest.Reset())
				err := m.Do(t.Context(), put(), acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Refused().Outcome }))
				if !errors.Is(err, retry.ErrBudgetSpent) || errors.Is(err, retry.ErrSharedBudgetSpent) != (tt.shared == 1) {
					t.Errorf("error is %v", err)
				}
			})
		})
	}
}

// What ten services may retry together is what one may, in one mesh and in two.
func TestTenServicesDoNotMultiply(t *testing.T) {
	for _, meshes := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			var all []discovery.Instance
			for n := range 10 {
				all = append(all, fairleadtest.Instances(fmt.Sprintf("s%d", n), fmt.Sprintf("s%d-a", n), fmt.Sprintf("s%d-b", n))...)
			}
			fleet := fairleadtest.NewFleet(all...)
			for _, i := range all {
				fleet.Play(i.ID, fairleadtest.Refused())
			}
			var options []transport.Option
			if meshes > 1 {
				options = append(options, transport.WithSharedBudget(new(retry.Budget)))
			}
			calls := 0
			for range meshes {
				m := newMesh(t, fleet, options...)
				for n := range 10 {
					for range 100 {
						m.Do(t.Context(), &transport.Call{Service: fmt.Sprintf("s%d", n), Protocol: discovery.HTTP}, fleet.Door(m))
						calls++
						time.Sleep(time.Millisecond)
					}
				}
			}
			retries := len(fleet.Called()) - calls
			if most := calls/5 + 100; retries > most || retries < most*8/10 {
				t.Errorf("%d retries of %d calls, want at most %d", retries, calls, most)
			}
		})
	}
}

// A budget that is shared does not keep what a closed mesh had of it.
func TestAClosedMeshGivesUpItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, err := retry.NewBudget(retry.BudgetConfig{Ratio: 1, MinPerSecond: 1})
		if err != nil {
			t.Fatal(err)
		}
		m := newMesh(t, orders("a"), transport.WithSharedBudget(shared))
		for range 1000 {
			m.Do(t.Context(), get(), instant{m})
		}
		if d := m.Dump(); d.SharedBudgetRemaining < 1000 {
			t.Errorf("%d could be made", d.SharedBudgetRemaining)
		}
		m.Close(t.Context())
		if got := m.Dump().SharedBudgetRemaining; got > 10 {
			t.Errorf("%d could be made after Close", got)
		}
	})
}

func TestASharedBudgetIsNoChild(t *testing.T) {
	child, err := new(retry.Budget).Child(retry.BudgetConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := transport.New(orders("a"), transport.WithSharedBudget(child)); err == nil || !strings.Contains(err.Error(), "WithSharedBudget") {
		m.Close(t.Context())
		t.Errorf("error is %v", err)
	}
}

// The third attempt leaves the zone that both before went to.
func TestTheThirdAttemptGoesToAnotherZone(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			all := fairleadtest.Instances("orders", "a", "b", "c", "d", "e", "f")
			for n := range all {
				all[n].Zone = "north"
			}
			all[4].Zone = "south"
			fleet := fairleadtest.NewFleet(all...)
			for _, i := range all {
				fleet.Play(i.ID, fairleadtest.Refused())
			}
			var picks fairleadtest.Picks
			picks.To("a", "b", "c")
			m := newMesh(t, fleet, transport.WithPolicy(&picks))
			m.Do(t.Context(), get(), fleet.Door(m))
			if got := strings.Join(fleet.Called(), " "); got != "a b e" {
				t.Fatalf("called %s", got)
			}
		})
	}
}
