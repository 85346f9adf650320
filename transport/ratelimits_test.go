package transport_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// called is what rules see of a call by somebody.
type calledBy struct {
	seen
	caller string
}

func (c *calledBy) Caller() string { return c.caller }

// limiting is a mesh whose rules have this limit of rate, in force.
func limiting(t *testing.T, l rule.RateLimit, options ...transport.Option) (governed, *transport.Mesh) {
	t.Helper()
	g := versions("v1-a")
	p := ordersPolicy(rule.Route{Name: "drafts", Match: []rule.Match{{Path: &rule.Text{Prefix: "/drafts"}}}}, rule.Route{Name: "rest"})
	p.Spec.Limits = []rule.RateLimit{l}
	return g, obeying(t, g, p, options...)
}

// Which calls take from one bucket.
func TestWhoSharesARate(t *testing.T) {
	from := func(tenant, caller, path string) *calledBy {
		return &calledBy{seen{path: path, header: map[string]string{"tenant": tenant}}, caller}
	}
	tests := []struct {
		name     string
		limit    rule.RateLimit
		a, b     func(*transport.Call)
		together bool
	}{
		{"the service, whoever calls what", rule.RateLimit{}, nil, func(c *transport.Call) { c.Method, c.Key, c.Request = "Put", "k", from("t", "c", "/x") }, true},
		{"a method", rule.RateLimit{Per: "method"}, nil, nil, true},
		{"two methods", rule.RateLimit{Per: "method"}, nil, func(c *transport.Call) { c.Method = "Put" }, false},
		{"a method on two routes", rule.RateLimit{Per: "method"}, nil, func(c *transport.Call) { c.Request = from("", "", "/drafts") }, false},
		{"a priority", rule.RateLimit{Per: "class"}, nil, nil, true},
		{"two priorities", rule.RateLimit{Per: "class"}, nil, func(c *transport.Call) { c.Priority = ratelimit.Critical }, false},
		{"a key", rule.RateLimit{Per: "key"}, func(c *transport.Call) { c.Key = "k" }, func(c *transport.Call) { c.Key = "k" }, true},
		{"two keys", rule.RateLimit{Per: "key"}, func(c *transport.Call) { c.Key = "k" }, func(c *transport.Call) { c.Key = "l" }, false},
		{"a key and none", rule.RateLimit{Per: "key"}, func(c *transport.Call) { c.Key = "k" }, nil, false},
		{"no key twice", rule.RateLimit{Per: "key"}, nil, nil, true},
		{"a caller", rule.RateLimit{Per: "caller"}, func(c *transport.Call) { c.Request = from("", "x", "/") }, func(c *transport.Call) { c.Request = from("", "x", "/y") }, true},
		{"two callers", rule.RateLimit{Per: "caller"}, func(c *transport.Call) { c.Request = from("", "x", "/") }, func(c *transport.Call) { c.Request = from("", "y", "/") }, false},
		{"a header", rule.RateLimit{Per: "header:Tenant"}, func(c *transport.Call) { c.Request = from("x", "", "/") }, func(c *transport.Call) { c.Request = from("x", "", "/y") }, true},
		{"two values of a header", rule.RateLimit{Per: "header:Tenant"}, func(c *transport.Call) { c.Request = from("x", "", "/") }, func(c *transport.Call) { c.Request = from("y", "", "/") }, false},
		{"what it does not match", rule.RateLimit{Match: []rule.Match{{Path: &rule.Text{Prefix: "/drafts"}}}},
			func(c *transport.Call) { c.Request = from("", "", "/drafts") }, func(c *transport.Call) { c.Request = from("", "", "/") }, false},
		{"what it matches", rule.RateLimit{Match: []rule.Match{{Path: &rule.Text{Prefix: "/drafts"}}}},
			func(c *transport.Call) { c.Request = from("", "", "/drafts") }, func(c *transport.Call) { c.Request = from("", "", "/drafts/2") }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.limit.Name, tt.limit.Rate, tt.limit.Burst = "rate", hourly(1), 1
				g, m := limiting(t, tt.limit)
				pass := func(prepare func(*transport.Call)) bool {
					call := get()
					call.Request = from("", "", "/")
					if prepare != nil {
						prepare(call)
					}
					return m.Do(t.Context(), call, g.Door(m)) == nil
				}
				if !pass(tt.a) {
					t.Fatal("the first call is refused")
				}
				if got := !pass(tt.b); got != tt.together {
					t.Errorf("the second is refused: %t", got)
				}
				if d := limitNamed(t, m, "rate"); d.Per != "service" && d.Per != tt.limit.Per && d.Per != "header:tenant" {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}

// Methods beyond the thousandth have one bucket together, and so have keys beyond
// those that there may be.
func TestTooManyToHaveARateEach(t *testing.T) {
	for _, l := range []rule.RateLimit{{Per: "method"}, {Per: "key", MaxKeys: 1000}} {
		t.Run(l.Per, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l.Name, l.Rate, l.Burst = "rate", hourly(1), 2
				g, m := limiting(t, l)
				refused := 0
				for n := range 1010 {
					call := get()
					call.Method, call.Key = fmt.Sprint("M", n), fmt.Sprint("k", n)
					if m.Do(t.Context(), call, g.Door(m)) != nil {
						refused++
					}
				}
				if d := limitNamed(t, m, "rate"); refused != 8 || d.Keys != 1000 {
					t.Errorf("%d of ten are refused, want all but two of them; %+v", refused, d)
				}
			})
		})
	}
}

// A call waits for its turn where the rules let it, at most as long as they say, and
// within its deadline. One whose turn would come too late does not wait.
func TestWaitingForATurn(t *testing.T) {
	gone := errors.New("the user has left")
	tests := []struct {
		name     string
		wait     time.Duration
		deadline time.Duration // of the call; 0: none
		cancel   time.Duration // when its caller gives up; 0: never
		took     time.Duration
		stage    transport.Stage // "": it is sent
		is       error
	}{
		{"its turn comes", 2 * time.Second, 0, 0, time.Second, "", nil},
		{"within the deadline", 2 * time.Second, 2 * time.Second, 0, time.Second, "", nil},
		{"its turn comes too late", 900 * time.Millisecond, 0, 0, 0, transport.StageLimit, ratelimit.ErrRate},
		{"or after the deadline", 2 * time.Second, 900 * time.Millisecond, 0, 0, transport.StageLimit, ratelimit.ErrRate},
		{"the caller gives up", 2 * time.Second, 0, 300 * time.Millisecond, 300 * time.Millisecond, transport.StageWait, gone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, m := limiting(t, rule.RateLimit{Name: "rate", Rate: rule.Rate{Calls: 1, Within: time.Second}, Burst: 1, Wait: rule.Duration(tt.wait)}, inFlight(10))
				if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if tt.deadline != 0 {
					limited, cancel := context.WithTimeout(ctx, tt.deadline)
					defer cancel()
					ctx = limited
				}
				ctx, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				if tt.cancel != 0 {
					time.AfterFunc(tt.cancel, func() { cancel(gone) })
				}
				begun := time.Now()
				err := m.Do(ctx, get(), g.Door(m))
				if took := time.Since(begun); took < tt.took-time.Millisecond || took > tt.took+time.Millisecond {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				if tt.stage == "" && err != nil || tt.stage != "" && (asError(t, err).Stage != tt.stage || !errors.Is(err, tt.is) || asError(t, err).Timeout()) {
					t.Errorf("error is %v", err)
				}
				if held(m) != 0 {
					t.Errorf("%d places are held", held(m))
				}
				if d := limitNamed(t, m, "rate"); (d.Refused[1] != 0) != (tt.stage == transport.StageLimit) {
					t.Errorf("%v are refused", d.Refused)
				}
				if tt.cancel != 0 { // who gave up has taken nothing
					time.Sleep(time.Second)
					if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
						t.Errorf("the next call: %v", err)
					}
				}
			})
		})
	}
}

// A call waits for a place, at most as long as the limit says and within its deadline,
// and leaves what it has already if it gives up.
func TestWaitingForAPlace(t *testing.T) {
	gone := errors.New("the user has left")
	tests := []struct {
		name   string
		free   time.Duration // when there is a place; 0: never
		end    func(context.Context) (context.Context, context.CancelFunc)
		took   time.Duration
		stage  transport.Stage
		is     error
		inTime bool // whether the time of the call was up
	}{
		{"there is one in time", 300 * time.Millisecond, nil, 300 * time.Millisecond, "", nil, false},
		{"there is none", 0, nil, time.Second, transport.StageLimit, ratelimit.ErrConcurrency, false},
		{"the deadline comes first", 0, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 300*time.Millisecond)
		}, 300 * time.Millisecond, transport.StageWait, context.DeadlineExceeded, true},
		{"the caller gives up", 0, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(300*time.Millisecond, func() { cancel(gone) })
			return ctx, func() { cancel(nil) }
		}, 300 * time.Millisecond, transport.StageWait, gone, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				m := knowing(t, newMesh(t, fleet, inFlight(10), transport.WithConcurrency(rule.PerMethod, ratelimit.ConcurrencyConfig{Max: 1, MaxWait: time.Second})))
				end := endless(t, m, get())
				if tt.free != 0 {
					time.AfterFunc(tt.free, end)
				}
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if tt.end != nil {
					ctx, cancel = tt.end(ctx)
				}
				defer cancel()
				begun := time.Now()
				err := m.Do(ctx, get(), fleet.Door(m))
				if took := time.Since(begun); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				if tt.stage == "" && err != nil || tt.stage != "" && (asError(t, err).Stage != tt.stage || !errors.Is(err, tt.is) || asError(t, err).Timeout() != tt.inTime) {
					t.Errorf("error is %v", err)
				}
				end()
				if held(m) != 0 {
					t.Errorf("%d places are held", held(m))
				}
			})
		})
	}
}

// What throttling counts are attempts, by what they showed of the service.
func TestWhatThrottlingCounts(t *testing.T) {
	late := transport.Outcome{Class: transport.Timeout, Late: true, Sent: true, Err: context.DeadlineExceeded}
	tests := []struct {
		name      string
		reply     []fairleadtest.Reply
		options   []transport.Option
		throttled bool
	}{
		{"answers", []fairleadtest.Reply{fairleadtest.OK()}, nil, false},
		{"failures are answers", []fairleadtest.Reply{fairleadtest.Status(500)}, nil, false},
		{"refusals", []fairleadtest.Reply{fairleadtest.Status(503)}, nil, true},
		{"timeouts", []fairleadtest.Reply{endingAs(transport.Timeout)}, nil, true},
		{"lost connections", []fairleadtest.Reply{fairleadtest.Reset()}, nil, true},
		{"what is the caller's doing says nothing", []fairleadtest.Reply{endingAs(transport.Neutral)}, nil, false},
		{"nor does what this process noticed late", []fairleadtest.Reply{{Outcome: late}}, nil, false},
		{"a retry is a request, too", nil, []transport.Option{transport.WithRetry(retry.Policy{On: retry.Overload, MaxAttempts: 4}), transport.WithBudget(retry.BudgetConfig{Ratio: 1, MinPerSecond: 10_000})}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				fleet.Play("a", tt.reply...)
				m := knowing(t, newMesh(t, fleet, append([]transport.Option{inAnyCase(), transport.WithThrottle(ratelimit.ThrottleConfig{})}, tt.options...)...))
				for range 2000 {
					if tt.reply == nil { // three are refused before one is answered
						fleet.Play("a", fairleadtest.Status(503), fairleadtest.Status(503), fairleadtest.Status(503), fairleadtest.OK())
					}
					_ = m.Do(t.Context(), put(), fleet.Door(m))
					time.Sleep(5 * time.Millisecond)
				}
				d := limitNamed(t, m, "throttle")
				if got := d.Throttled[1] > 0.1; got != tt.throttled || (d.Refused[1] > 0) != tt.throttled {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}

// The instances that get copies may refuse all of them: that holds back no call.
func TestCopiesThrottleNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		g.Play("v2-a", fairleadtest.Status(503))
		route := to("v1")
		route.Mirror = &rule.Mirror{Subset: "v2", Percent: 100_00}
		m := obeying(t, g, ordersPolicy(route), transport.WithThrottle(ratelimit.ThrottleConfig{K: 1.5}))
		for range 2000 {
			if err := m.Do(t.Context(), get(), copiedDoor{g.Door(m)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(5 * time.Millisecond)
		}
		if got := limitNamed(t, m, "throttle").Throttled; got[0]+got[1]+got[2] != 0 {
			t.Errorf("throttled are %v", got)
		}
	})
}

// While calls of a priority wait, a place goes to the most important.
func TestThePlaceGoesToTheMostImportant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := knowing(t, newMesh(t, fleet, transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: 4, MaxWait: time.Minute})))
		var ends []func()
		for range 4 {
			ends = append(ends, endless(t, m, get()))
		}
		var mu sync.Mutex
		var order []ratelimit.Priority
		var all sync.WaitGroup
		for _, p := range []ratelimit.Priority{ratelimit.Sheddable, ratelimit.Default, ratelimit.Critical} {
			all.Go(func() {
				call := get()
				call.Priority = p
				if err := m.Do(t.Context(), call, fleet.Door(m)); err == nil {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, p)
				}
			})
			synctest.Wait()
		}
		fleet.Play("a", fairleadtest.OK().After(time.Second))
		ends[0]()
		all.Wait()
		if fmt.Sprint(order) != "[critical default sheddable]" {
			t.Errorf("the order is %v", order)
		}
	})
}
