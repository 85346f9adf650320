package transport_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// inFlight is a limit of calls in flight that none of a test reaches.
func inFlight(max int) transport.Option {
	return transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: max})
}

// held is how many calls a service's limits count, all together.
func held(m *transport.Mesh) (n int) {
	for _, s := range m.Dump().Services {
		if s.Limits != nil {
			for _, l := range s.Limits.Limits {
				n += l.InFlight
			}
		}
	}
	return n
}

// However a call ends, its place is given back once: then as many calls as may be in
// flight are, and no more.
func TestPlacesAreGivenBackOnce(t *testing.T) {
	ok := transport.Outcome{Class: transport.Success, Sent: true, Answered: true}
	// ending is an attempt that ends with an outcome, whose answer the caller still
	// reads.
	ending := func(m *transport.Mesh, o transport.Outcome) transport.Attempt {
		return acquiring(m, func(transport.Lease) transport.Outcome { return o })
	}
	tests := []struct {
		name    string
		options []transport.Option
		run     func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) (held int) // while the caller has the answer
	}{
		{"an answer that is read", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			call := get()
			_ = m.Do(t.Context(), call, ending(m, ok))
			if !call.Holds() {
				t.Error("it holds nothing")
			}
			n := held(m)
			call.Ended(call.Turn())
			call.Ended(call.Turn())
			call.Release()
			if call.Holds() {
				t.Error("it holds something")
			}
			return n
		}},
		{"an answer that is released", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			call := get()
			_ = m.Do(t.Context(), call, ending(m, ok))
			n := held(m)
			call.Release()
			call.Release()
			return n
		}},
		{"an answer that ends before it is handed out", nil, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			_ = m.Do(t.Context(), get(), fleet.Door(m))
			return held(m) + 1
		}},
		{"the end of an answer that is thrown away says nothing", []transport.Option{inAnyCase()}, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			call := get()
			_ = m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				o := fairleadtest.Reset().Outcome
				if call.Tries() > 1 {
					o = ok
				}
				return ending(m, o).Try(ctx, call)
			}))
			call.Ended(1)
			n := held(m)
			call.Release()
			return n
		}},
		{"a failure that was answered", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			call := get()
			_ = m.Do(t.Context(), call, ending(m, transport.Outcome{Class: transport.Failure, Sent: true, Answered: true, Code: 500}))
			n := held(m)
			call.Release()
			return n
		}},
		{"an error", nil, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			fleet.Play("a", fairleadtest.Cut())
			_ = m.Do(t.Context(), put(), fleet.Door(m))
			return held(m) + 1
		}},
		{"several attempts have one place", []transport.Option{inAnyCase()}, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			most := 0
			_ = m.Do(t.Context(), get(), tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				most = max(most, held(m))
				return ending(m, fairleadtest.Refused().Outcome).Try(ctx, call)
			}))
			return held(m) + most
		}},
		{"nobody to send it to", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			call := get()
			call.Apply(transport.WithCall(t.Context(), transport.Instance("nobody")))
			_ = m.Do(t.Context(), call, ending(m, ok))
			return held(m) + 1
		}},
		{"an instance that is full", []transport.Option{transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Max: 1})}, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			var ends []func()
			for range 3 {
				ends = append(ends, endless(t, m, get()))
			}
			if err := m.Do(t.Context(), get(), fleet.Door(m)); !errors.Is(err, ratelimit.ErrConcurrency) {
				t.Error(err)
			}
			n := held(m) // both limits count three
			for _, end := range ends {
				end()
			}
			return n - 5
		}},
		{"a later limit refuses", []transport.Option{transport.WithConcurrency(rule.PerMethod, ratelimit.ConcurrencyConfig{Max: 1})}, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			end := endless(t, m, get())
			for range 5 {
				_ = m.Do(t.Context(), get(), fleet.Door(m))
			}
			n := held(m)
			end()
			return n - 1
		}},
		{"more limits than most calls pass", []transport.Option{
			transport.WithConcurrency(rule.PerMethod, ratelimit.ConcurrencyConfig{Max: 2}), transport.WithConcurrency(rule.PerClass, ratelimit.ConcurrencyConfig{Max: 2}),
		}, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			call := get()
			_ = m.Do(t.Context(), call, ending(m, ok))
			n := held(m)
			call.Release()
			return n - 2
		}},
		{"a call that is cancelled", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			end := endless(t, m, get())
			n := held(m)
			end()
			return n
		}},
		{"a call whose time is up", nil, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			fleet.Play("a", fairleadtest.Hung())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_ = m.Do(ctx, get(), fleet.Door(m))
			return held(m) + 1
		}},
		{"others' code panics", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			defer func() { _ = recover() }()
			_ = m.Do(t.Context(), get(), tryFunc(func(context.Context, *transport.Call) transport.Outcome { panic("ours") }))
			return 0
		}},
		{"others' code ends the goroutine", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			var all sync.WaitGroup
			all.Go(func() {
				_ = m.Do(t.Context(), get(), tryFunc(func(context.Context, *transport.Call) transport.Outcome {
					runtime.Goexit()
					return transport.Outcome{}
				}))
			})
			all.Wait()
			return held(m) + 1
		}},
		{"a value instead", []transport.Option{falling(rule.OnFailure{Value: "{}"})}, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			obeys(t, m)
			fleet.Play("a", fairleadtest.Reset())
			call := put()
			if err := m.Do(t.Context(), call, &replaceable{call: call, Attempt: ending(m, fairleadtest.Reset().Outcome)}); err != nil {
				t.Error(err)
			}
			return held(m) + 1
		}},
		{"nothing instead", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			call := put()
			call.Apply(transport.WithCall(t.Context(), transport.Tolerate(rule.Failsafe)))
			if err := m.Do(t.Context(), call, &replaceable{call: call, Attempt: ending(m, fairleadtest.Reset().Outcome)}); err != nil {
				t.Error(err)
			}
			return held(m) + 1
		}},
		{"another service instead", []transport.Option{falling(rule.OnFailure{Service: "archive"}), transport.WithFallbackServices("archive")}, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			obeys(t, m)
			call, n := put(), 0
			if err := m.Do(t.Context(), call, &replaceable{call: call, Attempt: tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				if call.Service == "orders" {
					return ending(m, fairleadtest.Reset().Outcome).Try(ctx, call)
				}
				n = held(m) // that of the archive alone
				return ending(m, ok).Try(ctx, call)
			})}); err != nil {
				t.Error(err)
			}
			if held(m) != 1 {
				t.Errorf("%d are held while the answer is read", held(m))
			}
			call.Release()
			return n
		}},
		{"every instance", nil, func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) int {
			call := get()
			call.Apply(transport.WithCall(t.Context(), transport.Tolerate(rule.Broadcast)))
			_ = m.Do(t.Context(), call, ending(m, ok))
			n := held(m)
			call.Release()
			fleet.Play("b", fairleadtest.Reset())
			call = get()
			call.Apply(transport.WithCall(t.Context(), transport.Tolerate(rule.Broadcast)))
			_ = m.Do(t.Context(), call, fleet.Door(m))
			return n
		}},
		{"the second of a race wins", []transport.Option{hedging()}, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			r := &racer{mesh: m, first: fairleadtest.Hung(), second: fairleadtest.OK()}
			call := get()
			if err := m.Do(t.Context(), call, r); err != nil || r.answer != "second" {
				t.Error(r.answer, err)
			}
			synctest.Wait()
			n := held(m)
			winner := &r.seconds[0].call
			winner.Ended(winner.Turn()) // as its door says
			if call.Holds() {
				t.Error("the end of the second's answer is not that of the call")
			}
			return n
		}},
		{"the second of a race loses", []transport.Option{hedging()}, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			r := &racer{mesh: m, first: fairleadtest.OK().After(time.Second), second: fairleadtest.Hung()}
			call := get()
			_ = m.Do(t.Context(), call, r)
			synctest.Wait()
			loser := &r.seconds[0].call
			loser.Ended(loser.Turn())
			n := held(m)
			call.Release()
			return n
		}},
		{"a stream", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			call := get()
			call.Stream = true
			_ = m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				if !call.Holds() {
					t.Error("its door cannot tell that it holds something")
				}
				return ending(m, ok).Try(ctx, call)
			}))
			n := held(m)
			call.Release()
			return n
		}},
		{"a stream that is over before it is handed out", nil, func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) int {
			call, over := get(), make(chan struct{})
			call.Stream = true
			_ = m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				go func() { call.Release(); close(over) }()
				return ending(m, ok).Try(ctx, call)
			}))
			<-over
			return held(m) + 1
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := fairleadtest.NewFleet(append(fairleadtest.Instances("orders", "a", "b", "c"), fairleadtest.Instances("archive", "z")...)...)
				m := knowing(t, newMesh(t, fleet, append([]transport.Option{inFlight(4), transport.WithPinning()}, tt.options...)...))
				settled()
				func() {
					defer func() {
						if n := held(m); n != 0 {
							t.Errorf("%d places are held at the end", n)
						}
					}()
					if n := tt.run(t, m, fleet); n != 1 && n != 0 || n == 0 && tt.name != "others' code panics" {
						t.Errorf("%d places are held while the answer is read", n)
					}
				}()
			})
		})
	}
}

// Whatever calls do, and however they end, no more are in flight than may be, and at
// the end there are none.
func TestNoPlaceIsLostUnderLoad(t *testing.T) {
	fleet := fairleadtest.NewFleet(append(fairleadtest.Instances("orders", "a", "b", "c"), fairleadtest.Instances("archive", "z")...)...)
	m := knowing(t, newMesh(t, fleet, inFlight(5), transport.WithConcurrency(rule.PerClass, ratelimit.ConcurrencyConfig{Max: 4, MaxWait: time.Millisecond}),
		transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{Min: 1, Max: 4}}),
		transport.WithHedge(retry.HedgeConfig{Delay: time.Millisecond, MaxExtra: 1}), falling(rule.OnFailure{Service: "archive"}), transport.WithFallbackServices("archive")))
	obeys(t, m)
	var now atomic.Int64
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for n := range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+n%4)*time.Millisecond)
				call := get()
				call.Priority = ratelimit.Priority(n%3 - 1)
				r := &racer{mesh: m, second: fairleadtest.OK()}
				r.first = []fairleadtest.Reply{fairleadtest.OK(), fairleadtest.Reset(), fairleadtest.OK().After(3 * time.Millisecond), fairleadtest.Hung()}[(n+w)%4]
				attempt := &replaceable{call: call, Attempt: tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
					if call.Service == "orders" {
						if now.Add(1) > 5 {
							t.Error("more than five calls are in flight")
						}
						defer now.Add(-1)
					}
					return r.Try(ctx, call)
				})}
				if m.Do(ctx, call, attempt) == nil {
					go func() { call.Ended(call.Turn()) }()
					call.Ended(call.Turn())
				}
				cancel()
			}
		})
	}
	all.Wait()
	eventually(t, "all places are given back", func() bool { return held(m) == 0 })
}
