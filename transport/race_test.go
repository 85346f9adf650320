package transport_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// racer is an attempt that can be made a second time beside the first.
type racer struct {
	mesh          *transport.Mesh
	first, second fairleadtest.Reply
	unable        bool // it cannot be sent twice

	asked, begun, won, lost atomic.Int32

	mu       sync.Mutex
	called   []string          // instances, in the order of the attempts
	contexts []context.Context // of all attempts
	seconds  []*second
	answer   string // whose answer is held: "first" or "second"
}

func (r *racer) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	o := r.send(ctx, call, r.first)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = "first"
	return o
}

func (r *racer) send(ctx context.Context, call *transport.Call, reply fairleadtest.Reply) transport.Outcome {
	r.mu.Lock()
	r.contexts = append(r.contexts, ctx)
	r.mu.Unlock()
	lease, err := r.mesh.Acquire(ctx, call, nil)
	if err != nil {
		return transport.Outcome{Err: err}
	}
	r.mu.Lock()
	r.called = append(r.called, lease.Node().ID())
	r.mu.Unlock()
	o := reply.Outcome
	select {
	case <-time.After(reply.Latency):
	case <-ctx.Done():
		o = transport.Outcome{Class: transport.Neutral, Err: context.Cause(ctx), Sent: true}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			o.Class = transport.Timeout
		}
	}
	lease.Done(o)
	return o
}

func (r *racer) Hedge(int) transport.Hedge {
	r.asked.Add(1)
	if r.unable {
		return nil
	}
	s := &second{of: r}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seconds = append(r.seconds, s)
	return s
}

// second is the other attempt.
type second struct {
	of   *racer
	call transport.Call
	ends atomic.Int32 // of Win and Lose
}

func (s *second) Call() *transport.Call { return &s.call }

func (s *second) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	s.of.begun.Add(1)
	return s.of.send(ctx, call, s.of.second)
}

func (s *second) Win() {
	s.ends.Add(1)
	s.of.won.Add(1)
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.answer = "second"
}

func (s *second) Lose() { s.ends.Add(1); s.of.lost.Add(1) }

// over checks what has to hold once a race and all that it began are over.
func (r *racer) over(t *testing.T, m *transport.Mesh) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, ctx := range r.contexts {
		if ctx.Err() == nil {
			t.Errorf("the context of attempt %d of %d has not ended", n+1, len(r.contexts))
		}
	}
	for _, s := range r.seconds {
		if got := s.ends.Load(); got > 1 || got != 1 && r.begun.Load() > 0 {
			t.Errorf("%d of Win and Lose were called", got)
		}
	}
	for _, i := range service(t, m).Instances {
		if i.Stats.Outstanding != 0 {
			t.Errorf("%s still has %d calls", i.ID, i.Stats.Outstanding)
		}
	}
}

const hedgeDelay = 20 * time.Millisecond

// hedging sends calls that take 20 ms a second time.
func hedging() transport.Option {
	return transport.WithHedge(retry.HedgeConfig{Delay: hedgeDelay, MaxExtra: 1})
}

func TestRace(t *testing.T) {
	ok, refused, reset := fairleadtest.OK(), fairleadtest.Refused(), fairleadtest.Reset()
	const ms = time.Millisecond
	tests := []struct {
		name          string
		first, second fairleadtest.Reply
		answer        string // whose it is; "": an error
		took          time.Duration
		called        string
		lost          int32
	}{
		{"an answer in time needs no second", ok.After(19 * ms), ok, "first", 19 * ms, "a", 0},
		{"a failure in time needs none either", reset.After(19 * ms), ok, "", 19 * ms, "a", 0},
		{"the second is faster", ok.After(time.Hour), ok.After(5 * ms), "second", 25 * ms, "a b", 0},
		{"the first is faster after all", ok.After(30 * ms), ok.After(time.Hour), "first", 30 * ms, "a b", 1},
		{"the first fails, and the second is waited for", reset.After(30 * ms), ok.After(40 * ms), "second", 60 * ms, "a b", 0},
		{"the first fails unsent, and the second is waited for", refused.After(30 * ms), ok.After(40 * ms), "second", 60 * ms, "a b", 0},
		{"the second fails, and leaves the first alone", ok.After(90 * ms), reset.After(5 * ms), "first", 90 * ms, "a b", 1},
		{"both fail, the first at first", reset.After(30 * ms), refused.After(30 * ms), "", 50 * ms, "a b", 1},
		{"both fail, the second at first", reset.After(90 * ms), refused.After(5 * ms), "", 90 * ms, "a b", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := knowing(t, newMesh(t, orders("a", "b", "c"), inAnyCase(), hedging(), transport.WithRetry(retry.Policy{MaxAttempts: 2, On: retry.TimedOut})))
				r := &racer{mesh: m, first: tt.first, second: tt.second}
				call, begun := get(), time.Now()
				err := m.Do(t.Context(), call, r)
				took := time.Since(begun)
				call.Release()
				synctest.Wait()
				r.over(t, m)
				if (err == nil) != (tt.answer != "") || err == nil && r.answer != tt.answer || took != tt.took {
					t.Errorf("the %s answered after %v: %v", r.answer, took, err)
				}
				called := strings.Join(r.called, " ")
				if called != tt.called || call.Attempts() != len(r.called) || call.Tries() > len(r.called) || r.lost.Load() != tt.lost {
					t.Errorf("called %s, told are %d attempts and %d tries; %d lost", called, call.Attempts(), call.Tries(), r.lost.Load())
				}
				if err != nil {
					if e := asError(t, err); e.Attempts != len(r.called) || !e.MaybeExecuted || e.Instance != "a" || e.Class != tt.first.Outcome.Class {
						t.Errorf("error is %+v", e)
					}
				}
				d := service(t, m)
				if hedges := int64(len(r.called) - 1); d.Hedges != hedges || d.HedgesWon != int64(r.won.Load()) || d.Unhedged != 0 || d.Retries != 0 {
					t.Errorf("the dump says %+v", d.AttemptsDump)
				}
			})
		})
	}
}

// Trap 32, hedge losers that keep running: who loses is told why, at once, and it
// is nobody's fault.
func TestTrap32LosersAreCancelled(t *testing.T) {
	for _, winner := range []string{"first", "second"} {
		t.Run("the "+winner+" wins", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := knowing(t, newMesh(t, orders("a", "b"), inTurn(), hedging(),
					transport.WithBreaker(rule.PerInstance, breakerAfter(1))))
				r := &racer{mesh: m, first: fairleadtest.OK().After(time.Hour), second: fairleadtest.OK().After(time.Second)}
				loser := 0
				if winner == "first" {
					r.first, r.second, loser = r.second, r.first, 1
				}
				begun := time.Now()
				if err := m.Do(t.Context(), get(), r); err != nil || time.Since(begun) > 2*time.Second {
					t.Fatalf("after %v: %v", time.Since(begun), err)
				}
				synctest.Wait()
				if ctx := r.contexts[loser]; ctx.Err() != context.Canceled || context.Cause(ctx).Error() != "another attempt was faster" {
					t.Errorf("the loser's context has ended because %v", context.Cause(ctx))
				}
				d := service(t, m)
				if d.Attempts["neutral"] != 1 || d.Attempts["success"] != 1 || d.Breakers.States["closed"] != 2 {
					t.Errorf("attempts are %v, breakers %v", d.Attempts, d.Breakers.States)
				}
				if s := d.Instances[loser].Stats; s.Failing != 0 || s.Latency != 0 {
					t.Errorf("the loser's instance is charged with it: %+v", s)
				}
			})
		})
	}
}

// Whatever the caller does, and when.
func TestCallerEndsARace(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
		first fairleadtest.Reply
		sent  int
	}{
		{"before the second", hedgeDelay / 2, fairleadtest.Hung(), 1},
		{"while both are on their way", 2 * hedgeDelay, fairleadtest.Hung(), 2},
		{"while only the second is", 3 * hedgeDelay, fairleadtest.Reset().After(2 * hedgeDelay), 2},
	}
	ends := map[string]func(context.Context, time.Duration) (context.Context, context.CancelFunc){
		"cancelled": func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(d, cancel)
			return ctx, cancel
		},
		"out of time": context.WithTimeout,
	}
	for _, tt := range tests {
		for how, end := range ends {
			t.Run(how+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := knowing(t, newMesh(t, orders("a", "b"), inAnyCase(), hedging()))
					ctx, cancel := end(t.Context(), tt.after)
					defer cancel()
					r := &racer{mesh: m, first: tt.first, second: fairleadtest.Hung()}
					call, begun := get(), time.Now()
					err := m.Do(ctx, call, r)
					if took := time.Since(begun); took != tt.after {
						t.Errorf("it took %v", took)
					}
					synctest.Wait()
					r.over(t, m)
					e := asError(t, err)
					if !errors.Is(err, ctx.Err()) || e.Timeout() != (how == "out of time") || e.Attempts != tt.sent || len(r.called) != tt.sent || !e.MaybeExecuted {
						t.Errorf("%d attempts, error is %+v", len(r.called), e)
					}
				})
			})
		}
	}
}

// What must not be sent a second time is not.
func TestNoSecond(t *testing.T) {
	tests := []struct {
		name     string
		prepare  func(*transport.Call, *racer)
		options  []transport.Option
		unhedged int64
	}{
		{"not idempotent", func(c *transport.Call, _ *racer) { c.Idempotent = false }, nil, 0},
		{"a stream", func(c *transport.Call, _ *racer) { c.Stream = true }, nil, 0},
		{"pinned", func(c *transport.Call, _ *racer) {
			c.Apply(transport.WithCall(context.Background(), transport.Instance("b")))
		}, []transport.Option{transport.WithPinning()}, 0},
		{"failfast", func(c *transport.Call, _ *racer) {
			c.Apply(transport.WithCall(context.Background(), transport.Tolerate(rule.Failfast)))
		}, nil, 0},
		{"failsafe", func(c *transport.Call, _ *racer) {
			c.Apply(transport.WithCall(context.Background(), transport.Tolerate(rule.Failsafe)))
		}, nil, 0},
		{"it cannot be sent twice", func(_ *transport.Call, r *racer) { r.unable = true }, nil, 1},
		{"the budget is spent", nil, []transport.Option{transport.WithBudget(retry.BudgetConfig{MinPerSecond: 0.01})}, 1},
		{"the shared budget is spent", nil, []transport.Option{transport.WithSharedBudget(budgetOf(0.01))}, 1},
		{"the share of hedges is spent", nil, []transport.Option{transport.WithHedge(retry.HedgeConfig{Delay: hedgeDelay, MaxExtra: 0.5})}, 1},
		{"the latency is not known", nil, []transport.Option{transport.WithHedge(retry.HedgeConfig{})}, 0},
		{"a call has one attempt", nil, []transport.Option{transport.WithRetry(retry.Policy{MaxAttempts: 1})}, 0},
		{"rules switch it off", nil, []transport.Option{ruled(rule.Spec{Service: "orders", Hedge: &rule.Hedge{Off: true}})}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := knowing(t, newMesh(t, orders("a", "b"), append([]transport.Option{inAnyCase(), hedging()}, tt.options...)...))
				settled()
				r := &racer{mesh: m, first: fairleadtest.OK().After(time.Second), second: fairleadtest.OK()}
				call := get()
				if tt.prepare != nil {
					tt.prepare(call, r)
				}
				before := service(t, m).BudgetRemaining
				if err := m.Do(t.Context(), call, r); err != nil || len(r.called) != 1 || r.begun.Load() != 0 {
					t.Errorf("called %v: %v", r.called, err)
				}
				if d := service(t, m); d.Hedges != 0 || d.Unhedged != tt.unhedged || d.BudgetRemaining < before {
					t.Errorf("%d hedges, %d were due; %d retries could be made, and before %d", d.Hedges, d.Unhedged, d.BudgetRemaining, before)
				}
			})
		})
	}
}

// ruled are rules from code.
func ruled(spec rule.Spec) transport.Option {
	source, err := rule.Static(rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: spec})
	if err != nil {
		panic(err)
	}
	return transport.WithRules(source)
}

func budgetOf(perSecond float64) *retry.Budget {
	b, err := retry.NewBudget(retry.BudgetConfig{MinPerSecond: perSecond})
	if err != nil {
		panic(err)
	}
	return b
}

// The last attempt of a call has none beside it.
func TestTheLastAttemptHasNoSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b", "c", "d"), inAnyCase(), hedging(), transport.WithRetry(retry.Policy{MaxAttempts: 3})))
		r := &racer{mesh: m, first: fairleadtest.Reset().After(2 * hedgeDelay), second: fairleadtest.Reset().After(hedgeDelay)}
		call := get()
		ctx, cancel := context.WithCancel(t.Context())
		if e := asError(t, m.Do(ctx, call, r)); e.Attempts != 3 || len(r.called) != 3 || r.begun.Load() != 1 || call.Tries() != 3 {
			t.Errorf("called %v, %d of them beside another: %+v", r.called, r.begun.Load(), e)
		}
		cancel()
		r.over(t, m)
	})
}

// No instance gets a call twice, and another zone is looked for.
func TestTheSecondGoesElsewhere(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			all := fairleadtest.Instances("orders", "a", "b", "c", "d", "e")
			for n, zone := range []string{"north", "north", "north", "south", "north"} {
				all[n].Zone = zone
			}
			var picks fairleadtest.Picks
			picks.To("a")
			m := knowing(t, newMesh(t, fairleadtest.NewFleet(all...), transport.WithPolicy(&picks), hedging()))
			r := &racer{mesh: m, first: fairleadtest.Reset().After(3 * hedgeDelay), second: fairleadtest.Reset().After(hedgeDelay)}
			m.Do(t.Context(), get(), r)
			if got := fmt.Sprint(r.called[:2]); got != "[a d]" {
				t.Fatalf("called %v", r.called)
			}
			if r.called[2] == "a" || r.called[2] == "d" { // they share a ledger
				t.Fatalf("called %v", r.called)
			}
		})
	}
}

// Nor where an earlier attempt of the call went.
func TestTheSecondKnowsEarlierAttempts(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			m := knowing(t, newMesh(t, orders("a", "b", "c"), transport.WithPolicy(balancer.Random{}), hedging()))
			r := &racer{mesh: m, first: fairleadtest.Hung(), second: fairleadtest.OK()}
			err := m.Do(t.Context(), get(), failingFirst{r})
			if err != nil || len(r.called) != 3 || r.called[2] == r.called[0] || r.called[2] == r.called[1] {
				t.Fatalf("called %v: %v", r.called, err)
			}
		})
	}
}

// failingFirst is a racer whose very first attempt is refused.
type failingFirst struct{ *racer }

func (f failingFirst) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	if call.Tries() == 1 {
		return f.send(ctx, call, fairleadtest.Refused())
	}
	return f.racer.Try(ctx, call)
}

// The second is sent after the percentile of the latencies of the method.
func TestHedgeByPercentile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b"), inAnyCase(), transport.WithHedge(retry.HedgeConfig{Percentile: 0.9, MaxExtra: 1})))
		for range 100 {
			m.Do(t.Context(), get(), &racer{mesh: m, first: fairleadtest.OK().After(10 * time.Millisecond)})
		}
		time.Sleep(2 * time.Second)
		r := &racer{mesh: m, first: fairleadtest.Hung(), second: fairleadtest.OK()}
		begun := time.Now()
		err := m.Do(t.Context(), get(), r)
		if took := time.Since(begun); err != nil || took < 10*time.Millisecond || took > 10500*time.Microsecond {
			t.Errorf("after %v: %v", took, err)
		}
		other := get()
		other.Method = "List" // of which nothing is known
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Do(ctx, other, &racer{mesh: m, first: fairleadtest.Hung(), second: fairleadtest.OK()}); err == nil {
			t.Error("a method whose latency is not known has a second")
		}
	})
}

// While a whole service is slow, second attempts would only make it slower.
func TestNoSecondsWhileTheServiceIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b"), inAnyCase(), hedging(), transport.WithBudget(retry.BudgetConfig{MinPerSecond: 1000})))
		var calls sync.WaitGroup
		var seconds atomic.Int32
		for range 200 {
			calls.Go(func() {
				r := &racer{mesh: m, first: fairleadtest.OK().After(time.Second), second: fairleadtest.OK().After(time.Second)}
				m.Do(t.Context(), get(), r)
				seconds.Add(r.begun.Load())
			})
			time.Sleep(5 * time.Millisecond)
		}
		calls.Wait()
		if n := seconds.Load(); n > 40 {
			t.Errorf("%d of 200 calls were sent twice", n)
		}
	})
}

// Both may have been asked to leave the service alone: whoever was heeds it.
func TestPushBackOfASecondIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b", "c"), inAnyCase(), hedging()))
		pushed := fairleadtest.Status(503)
		pushed.Outcome.NoRetry = true
		r := &racer{mesh: m, first: fairleadtest.Reset().After(3 * hedgeDelay), second: pushed}
		if e := asError(t, m.Do(t.Context(), get(), r)); e.Attempts != 2 {
			t.Errorf("called %v: %v", r.called, e)
		}
	})
}

// A hedge is paid for from the budget of retries, one each.
func TestAHedgeCostsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b"), inAnyCase(), hedging()))
		before := service(t, m).BudgetRemaining
		m.Do(t.Context(), get(), &racer{mesh: m, first: fairleadtest.Hung(), second: fairleadtest.OK()})
		if after := service(t, m).BudgetRemaining; before-after != 1 {
			t.Errorf("it cost %d", before-after)
		}
	})
}

// Rules that change in the middle of calls do not leave what they said behind.
func TestHedgesFollowTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("a", "b")
		hedged := func(h *rule.Hedge) rule.Policy {
			p := ordersPolicy()
			p.Spec.Subsets, p.Spec.Idempotent, p.Spec.Hedge = nil, new(true), h
			return p
		}
		m := obeying(t, g, hedged(&rule.Hedge{Delay: rule.Duration(hedgeDelay), MaxExtra: 100_00}), inAnyCase())
		call := func(method string) *racer {
			r := &racer{mesh: m, first: fairleadtest.OK().After(time.Second), second: fairleadtest.OK()}
			m.Do(t.Context(), &transport.Call{Service: "orders", Method: method, Protocol: discovery.HTTP}, r)
			return r
		}
		if r := call("Get"); r.won.Load() != 1 {
			t.Error("the rule's hedge is not heeded")
		}
		g.Put(hedged(&rule.Hedge{Off: true}))
		settled()
		if r := call("Get"); r.begun.Load() != 0 {
			t.Error("a hedge that was switched off was sent")
		}
		g.Put(hedged(&rule.Hedge{Delay: rule.Duration(2 * time.Second)}))
		settled()
		if r := call("Get"); r.begun.Load() != 0 {
			t.Error("a hedge was sent after the old delay")
		}
	})
}

// Races of all lengths and outcomes end as a naive model says, and leave nothing
// behind.
func TestRacesAgainstAModel(t *testing.T) {
	replies := []fairleadtest.Reply{fairleadtest.OK(), fairleadtest.OK(), fairleadtest.Reset(), fairleadtest.Refused(), fairleadtest.Status(503)}
	for seed := range uint64(1500) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			// Odd and even times are never the same, so that the model need not know of ties.
			draw := func(parity int) time.Duration {
				return time.Duration(4*random.IntN(15)+parity) * time.Millisecond
			}
			m := knowing(t, newMesh(t, orders("a", "b", "c"), inAnyCase(), hedging(), transport.WithRetry(retry.Policy{MaxAttempts: 2, On: retry.TimedOut})))
			r := &racer{mesh: m, first: replies[random.IntN(len(replies))].After(draw(1)), second: replies[random.IntN(len(replies))].After(draw(2))}
			ctx, cancel := context.WithCancel(t.Context())
			ends := draw(3) + 8*time.Millisecond
			if random.IntN(3) > 0 {
				ends = time.Hour
			}
			time.AfterFunc(ends, cancel)
			call, begun := get(), time.Now()
			err := m.Do(ctx, call, r)
			took := time.Since(begun)
			call.Release()
			synctest.Wait()
			answer, after := modelRace(r.first, r.second)
			if after > ends {
				if answer, after = "error", ends; r.first.Outcome.Err == nil && r.first.Latency < ends {
					answer = "first" // which is at hand
				}
			}
			if got := r.answer; err == nil && got != answer || err != nil && answer != "error" || took != after {
				t.Errorf("seed %d: %q after %v, want %q after %v: %v", seed, got, took, answer, after, err)
			}
			r.over(t, m)
			if call.Attempts() != len(r.called) {
				t.Errorf("seed %d: %d attempts, %v called", seed, call.Attempts(), r.called)
			}
			cancel()
		})
		if t.Failed() {
			break
		}
	}
}

// modelRace says who answers, and when.
func modelRace(first, second fairleadtest.Reply) (string, time.Duration) {
	won := func(r fairleadtest.Reply) bool { return r.Outcome.Class == transport.Success }
	failure := "error"
	if first.Outcome.Err == nil {
		failure = "first" // an answer all the same
	}
	t1, t2 := first.Latency, hedgeDelay+second.Latency
	switch {
	case t1 < hedgeDelay && won(first):
		return "first", t1
	case t1 < hedgeDelay:
		return failure, t1
	case won(first) && (t1 < t2 || !won(second)):
		return "first", t1
	case won(second):
		return "second", max(t2, min(t1, t2))
	default:
		return failure, max(t1, t2)
	}
}

// With real goroutines and clocks, for the race detector.
func TestRacesAtOnce(t *testing.T) {
	m := knowing(t, newMesh(t, orders("a", "b", "c"), transport.WithBalancing(balancer.Balancing{OutlierDetection: balancer.OutlierDetection{Off: true}}),
		transport.WithHedge(retry.HedgeConfig{Delay: 100 * time.Microsecond, Percentile: 0.01, MaxExtra: 1}),
		transport.WithBudget(retry.BudgetConfig{MinPerSecond: 10_000}), transport.WithSharedBudget(budgetOf(10_000)),
		transport.WithRetry(retry.Policy{AttemptTimeout: 400 * time.Microsecond, On: retry.TimedOut | retry.Reset, MaxAttempts: 3})))
	var callers sync.WaitGroup
	var begun, won atomic.Int32
	for range 8 {
		callers.Go(func() {
			for range 400 {
				draw := func() fairleadtest.Reply {
					reply := []fairleadtest.Reply{fairleadtest.OK(), fairleadtest.OK(), fairleadtest.Reset()}[rand.IntN(3)]
					return reply.After(time.Duration(rand.IntN(300)) * time.Microsecond)
				}
				ctx, cancel := context.WithCancel(t.Context())
				if rand.IntN(4) == 0 {
					time.AfterFunc(time.Duration(rand.IntN(400))*time.Microsecond, cancel)
				}
				r := &racer{mesh: m, first: draw(), second: draw()}
				call := get()
				call.AnswersInParts = rand.IntN(2) == 0
				m.Do(ctx, call, r)
				go call.Ended(call.Turn())
				call.Release()
				cancel()
				begun.Add(r.begun.Load())
				won.Add(r.won.Load())
				eventually(t, "all that began has ended", func() bool { return r.won.Load()+r.lost.Load() == r.begun.Load() })
			}
		})
	}
	callers.Wait()
	if begun.Load() < 100 || won.Load() == 0 {
		t.Errorf("%d seconds, %d won: the test tests nothing", begun.Load(), won.Load())
	}
	for _, i := range service(t, m).Instances {
		if i.Stats.Outstanding != 0 {
			t.Errorf("%s still has %d calls", i.ID, i.Stats.Outstanding)
		}
	}
}

// panicking is a door whose second attempt has a bug.
type panicking struct{ *racer }

func (p panicking) Hedge(int) transport.Hedge {
	return panickingSecond{p.racer.Hedge(0).(*second)}
}

type panickingSecond struct{ *second }

func (p panickingSecond) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	p.second.Try(ctx, call)
	panic("a bug of the base")
}

// A panic of a second attempt comes out where the call is made, as one of a first
// does: in the goroutine of a timer it would be the end of the process. Where the
// first has succeeded, nobody needs it.
func TestPanicOfTheSecond(t *testing.T) {
	for _, tt := range []struct {
		name   string
		first  fairleadtest.Reply
		panics bool
	}{
		{"the first succeeds", fairleadtest.OK().After(time.Minute), false},
		{"the first fails", fairleadtest.Status(500).After(time.Minute), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := knowing(t, newMesh(t, orders("a", "b"), inAnyCase(), transport.WithHedge(retry.HedgeConfig{Delay: hedgeDelay, MaxExtra: 1})))
				r := &racer{mesh: m, first: tt.first, second: fairleadtest.OK()}
				var panicked any
				var err error
				func() {
					defer func() { panicked = recover() }()
					err = m.Do(t.Context(), get(), panicking{r})
				}()
				if (panicked != nil) != tt.panics || err != nil {
					t.Errorf("panicked with %v, error is %v", panicked, err)
				}
				if r.begun.Load() != 1 || r.lost.Load() != 1 {
					t.Errorf("%d seconds begun, %d were told that they have lost", r.begun.Load(), r.lost.Load())
				}
			})
		})
	}
}

// Where nobody else is listed, the second that is due is not sent, and counted.
func TestNoSecondWithoutAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a"), inAnyCase(), hedging()))
		r := &racer{mesh: m, first: fairleadtest.OK().After(time.Second), second: fairleadtest.OK()}
		before := service(t, m).BudgetRemaining
		if err := m.Do(t.Context(), get(), r); err != nil || len(r.called) != 1 {
			t.Errorf("called %v: %v", r.called, err)
		}
		if d := service(t, m); d.Hedges != 0 || d.Unhedged != 1 || d.BudgetRemaining < before {
			t.Errorf("%d seconds were sent, %d were due; %d retries could be made, and before %d", d.Hedges, d.Unhedged, d.BudgetRemaining, before)
		}
	})
}
