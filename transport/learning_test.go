package transport_test

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// A limit that is learned rises while calls are answered as fast as ever and there
// are as many as may be, and falls while the service has too much to do. All else says
// nothing of that.
func TestWhatALearnedLimitLearnsFrom(t *testing.T) {
	const initial = 20
	gone := errors.New("gone")
	tests := []struct {
		name    string
		reply   fairleadtest.Reply
		prepare func(*transport.Call)
		want    string // of the limit
		each    string // and of that of an instance; "": the same
	}{
		{"answers", fairleadtest.OK(), nil, "up", ""},
		{"the service refuses", fairleadtest.Status(503), nil, "down", "same"},
		{"time is up", endingAs(transport.Timeout), nil, "down", ""},
		{"time was up long ago when it was noticed", fairleadtest.Reply{Outcome: transport.Outcome{Class: transport.Timeout, Late: true, Sent: true, Err: context.DeadlineExceeded}}, nil, "same", ""},
		{"failures", fairleadtest.Status(500), nil, "same", ""},
		{"lost connections", fairleadtest.Reset(), nil, "same", ""},
		{"the caller is gone", fairleadtest.Reply{Outcome: transport.Outcome{Err: gone, Sent: true}}, nil, "same", ""},
		{"streams", fairleadtest.OK(), func(c *transport.Call) { c.Stream = true }, "same", ""},
		{"streams that are refused", fairleadtest.Status(503), func(c *transport.Call) { c.Stream = true }, "same", ""},
	}
	for _, per := range []rule.Scope{rule.PerService, rule.PerInstance} {
		for _, tt := range tests {
			t.Run(tt.name+" per "+per.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fleet := orders("a")
					fleet.Play("a", tt.reply.After(20*time.Millisecond))
					m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithConcurrency(per, ratelimit.ConcurrencyConfig{
						Adaptive: &ratelimit.AdaptiveConfig{Min: 1, Max: 100, Initial: initial},
					})))
					var all sync.WaitGroup
					for range initial {
						all.Go(func() {
							for range 500 {
								call := put()
								if tt.prepare != nil {
									tt.prepare(call)
								}
								if m.Do(t.Context(), call, fleet.Door(m)) != nil {
									time.Sleep(time.Millisecond)
								}
								call.Release()
							}
						})
					}
					all.Wait()
					got := "same"
					switch limit := limitNamed(t, m, "code per "+per.String()).Concurrency; {
					case limit > initial:
						got = "up"
					case limit < initial:
						got = "down"
					}
					want := tt.want
					if per == rule.PerInstance {
						want = cmp.Or(tt.each, want)
					}
					if got != want {
						t.Errorf("it goes %s, want %s: %+v", got, want, limitNamed(t, m, "code per "+per.String()))
					}
				})
			})
		}
	}
}

func endingAs(class transport.Class) fairleadtest.Reply {
	return fairleadtest.Reply{Outcome: transport.Outcome{Class: class, Sent: true, Err: errors.New(class.String())}}
}

// What a call waited for, and what its caller took to read the answer, is not the
// service's doing.
func TestALearnedLimitSeesTheServiceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		fleet.Play("a", fairleadtest.OK().After(20*time.Millisecond))
		m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{
			Adaptive: &ratelimit.AdaptiveConfig{Min: 1, Max: 20, Initial: 20}, MaxWait: time.Minute,
		})))
		var all sync.WaitGroup
		for range 30 { // a third of them waits
			all.Go(func() {
				for n := range 300 {
					call := get()
					err := m.Do(t.Context(), call, acquiring(m, func(transport.Lease) transport.Outcome {
						time.Sleep(20 * time.Millisecond)
						return fairleadtest.OK().Outcome
					}))
					if err != nil && !errors.Is(err, ratelimit.ErrConcurrency) { // now and then fewer are let in, to learn
						t.Error(err)
					}
					if n > 100 { // from here on callers take their time
						time.Sleep(300 * time.Millisecond)
					}
					call.Release()
				}
			})
		}
		all.Wait()
		if got := limitNamed(t, m, "code per service").Concurrency; got < 10 {
			t.Errorf("the limit is %d: it saw more than the 20 ms that the service takes", got)
		}
	})
}

// And a service that takes longer the more calls there are has too many.
func TestALearnedLimitFollowsTheLatency(t *testing.T) {
	for _, per := range []rule.Scope{rule.PerService, rule.PerInstance} {
		t.Run("per "+per.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithConcurrency(per, ratelimit.ConcurrencyConfig{
					Adaptive: &ratelimit.AdaptiveConfig{Min: 1, Max: 50, Initial: 50},
				})))
				five := acquiring(m, func(lease transport.Lease) transport.Outcome { // are worked on at a time
					time.Sleep(20 * time.Millisecond * time.Duration(max(1, lease.Node().Outstanding()/5)))
					return fairleadtest.OK().Outcome
				})
				var all sync.WaitGroup
				for range 50 {
					all.Go(func() {
						for begun := time.Now(); time.Since(begun) < 12*time.Second; {
							call := put()
							if m.Do(t.Context(), call, five) != nil {
								time.Sleep(20 * time.Millisecond)
							}
							call.Release()
						}
					})
				}
				time.Sleep(10 * time.Second)
				got := limitNamed(t, m, "code per "+per.String()).Concurrency
				if all.Wait(); got >= 40 {
					t.Errorf("the limit is %d of 50 although no more than five are worked on at a time", got)
				}
			})
		})
	}
}
