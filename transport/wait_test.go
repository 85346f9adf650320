package transport_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// waiting is a call that waits for ready.
func waiting() *transport.Call {
	call := get()
	call.WaitForReady = true
	return call
}

// nobodies are the ways in which a service can have nobody to call.
func nobodies() []nobody {
	grpcOnly := fairleadtest.Instances("orders", "grpc")
	grpcOnly[0].Endpoints = []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: grpcOnly[0].Addr}}
	return []nobody{
		{"scaled to zero", transport.StageWait, "no instances", func() *fairleadtest.Fleet { return orders() }},
		{"none that speaks its protocol", transport.StageWait, "endpoint for http among 1", func() *fairleadtest.Fleet { return fairleadtest.NewFleet(grpcOnly...) }},
		{"never listed", transport.StageWait, "etcd is down", func() *fairleadtest.Fleet {
			fleet := orders()
			fleet.Fail(errDown)
			return fleet
		}},
	}
}

type nobody struct {
	name  string
	stage transport.Stage
	why   string
	fleet func() *fairleadtest.Fleet
}

// Calls to a service without an instance that were told to wait go out when
// the first appears, all of them, and at once. Meanwhile it can be seen that
// they wait.
func TestWaitForReady(t *testing.T) {
	const calls = 1000
	for _, tt := range nobodies() {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet, meters := tt.fleet(), new(meters)
				m := newMesh(t, fleet, transport.WithMeterProvider(meters))
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				var waiters sync.WaitGroup
				for range calls {
					waiters.Go(func() {
						call := waiting()
						if err := m.Do(ctx, call, fleet.Door(m)); err != nil || call.Instance() != "first" || time.Since(began) != time.Minute {
							t.Errorf("to %q after %v: %v", call.Instance(), time.Since(began), err)
						}
					})
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if dumped, gauge := service(t, m).Waiting, meters.collect(t).values["fairlead.client.waiting service=orders"]; dumped != calls || gauge != calls {
					t.Errorf("the dump says that %d wait, the gauge %v", dumped, gauge)
				}
				fleet.Heal()
				fleet.Add(fairleadtest.Instances("orders", "first")...)
				waiters.Wait()
				if s := service(t, m); len(fleet.Called()) != calls || s.Retries != 0 || s.Waiting != 0 {
					t.Errorf("called %d times with %d retries, %d still wait", len(fleet.Called()), s.Retries, s.Waiting)
				}
			})
		})
	}
}

// No moment is so bad that a call would miss the first instance: here it comes
// while the call begins to wait, and nothing comes after it.
func TestNoWaitingCallIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders()
		m := newMesh(t, fleet)
		for n := range 1000 {
			var waiters sync.WaitGroup
			for range 3 {
				waiters.Go(func() {
					if err := m.Do(t.Context(), waiting(), fleet.Door(m)); err != nil {
						t.Error(err)
					}
				})
			}
			id := strconv.Itoa(n)
			fleet.Add(fairleadtest.Instances("orders", id)...)
			waiters.Wait()
			leave(fleet, id)
		}
	})
}

// A wait ends with the call's context, or with the mesh. The error says what
// was waited for and why it did not come.
func TestWaitForReadyEnds(t *testing.T) {
	late := errors.New("the user has left")
	ends := []struct {
		name  string
		end   func(ctx context.Context, m *transport.Mesh) (context.Context, context.CancelFunc)
		stage transport.Stage
		class transport.Class
		cause []error
	}{
		{"deadline", func(ctx context.Context, _ *transport.Mesh) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, time.Minute, late)
		}, transport.StageWait, transport.Timeout, []error{context.DeadlineExceeded, late, balancer.ErrNoInstances}},
		{"cancelled", func(ctx context.Context, _ *transport.Mesh) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Minute, cancel)
			return ctx, cancel
		}, transport.StageWait, transport.Neutral, []error{context.Canceled, balancer.ErrNoInstances}},
		{"mesh closed", func(ctx context.Context, m *transport.Mesh) (context.Context, context.CancelFunc) {
			time.AfterFunc(time.Minute, func() { m.Close(context.Background()) })
			return ctx, func() {}
		}, transport.StageClosed, transport.Neutral, []error{transport.ErrClosed}},
	}
	for _, tt := range nobodies() {
		for _, end := range ends {
			t.Run(tt.name+"/"+end.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fleet := tt.fleet()
					m := newMesh(t, fleet)
					ctx, cancel := end.end(t.Context(), m)
					defer cancel()
					began := time.Now()
					err := m.Do(ctx, waiting(), never(t))
					e := asError(t, err)
					if e.Stage != end.stage || e.Class != end.class || e.Timeout() != (end.class == transport.Timeout) || e.Attempts != 0 || e.MaybeExecuted {
						t.Errorf("error is %+v", e)
					}
					for _, cause := range end.cause {
						if !errors.Is(err, cause) {
							t.Errorf("%v does not wrap %v", err, cause)
						}
					}
					if end.stage == transport.StageWait && !strings.Contains(err.Error(), tt.why) {
						t.Errorf("%q does not say %q", err, tt.why)
					}
					if took := time.Since(began); took != time.Minute {
						t.Errorf("it took %v", took)
					}
				})
			})
		}
	}
}

// A call that was not told to wait fails at once, beside others that wait.
func TestWithoutWaitForReadyACallFailsAtOnce(t *testing.T) {
	for _, tt := range nobodies() {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := tt.fleet()
				m := newMesh(t, fleet)
				go m.Do(t.Context(), waiting(), fleet.Door(m)) // ends with the mesh
				synctest.Wait()
				began := time.Now()
				err := m.Do(t.Context(), get(), fleet.Door(m))
				if e := asError(t, err); e.Stage != transport.StagePick || !errors.Is(err, balancer.ErrNoInstances) || time.Since(began) != 0 {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}

// The last instance may leave after the call saw it and before it picked, and
// between two attempts: the call waits again. An attempt that picked nobody is
// none.
func TestWaitForReadyWhenTheLastInstanceLeaves(t *testing.T) {
	leaving := func(m *transport.Mesh, fleet *fairleadtest.Fleet, after int) transport.Attempt {
		door := fleet.Door(m)
		return tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
			if call.Attempts() != after || !fleetHas(m, "a") {
				return door.Try(ctx, call)
			}
			leave(fleet, "a")
			return door.Try(ctx, call)
		})
	}
	for _, tt := range []struct {
		name   string
		after  int // attempts
		first  fairleadtest.Reply
		second fairleadtest.Reply // of b, which then answers well
		called string
	}{
		{"before the pick", 0, fairleadtest.OK(), fairleadtest.Reset(), "b b"},
		{"between two attempts", 1, fairleadtest.Reset(), fairleadtest.OK(), "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				fleet.Play("a", tt.first)
				fleet.Play("b", tt.second, fairleadtest.OK())
				m := knowing(t, newMesh(t, fleet, transport.WithRetry(retry.Policy{MaxAttempts: 2})))
				time.AfterFunc(time.Minute, func() { fleet.Add(fairleadtest.Instances("orders", "b")...) })
				call := waiting()
				if err := m.Do(t.Context(), call, leaving(m, fleet, tt.after)); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(fleet.Called(), " "); got != tt.called || call.Attempts() != 2 {
					t.Errorf("called %s, %d attempts are told", got, call.Attempts())
				}
			})
		})
		t.Run(tt.name+", for good", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				fleet.Play("a", tt.first)
				m := knowing(t, newMesh(t, fleet))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := m.Do(ctx, waiting(), leaving(m, fleet, tt.after))
				if e := asError(t, err); e.Stage != transport.StageWait || e.Attempts != tt.after || e.MaybeExecuted != (tt.after > 0) || !e.Timeout() {
					t.Errorf("error is %+v", e)
				}
			})
		})
	}
}

// leave takes the last instance away, on purpose, and waits until that is
// known.
func leave(fleet *fairleadtest.Fleet, id string) {
	fleet.Drain(id)
	synctest.Wait()
	fleet.Remove(id)
	synctest.Wait()
}

// fleetHas reports whether the mesh lists an instance.
func fleetHas(m *transport.Mesh, id string) bool {
	for _, s := range m.Dump().Services {
		for _, i := range s.Instances {
			if i.ID == id {
				return true
			}
		}
	}
	return false
}

// What a call waited for an instance, or for a connection to it, is not the
// instance's latency, although the clock is read before.
func TestTheWaitIsNoLatency(t *testing.T) {
	for _, tt := range []struct {
		name    string
		attempt func(*transport.Mesh) transport.Attempt
	}{
		{"for an instance", func(m *transport.Mesh) transport.Attempt { return instant{m} }},
		{"for a connection", func(m *transport.Mesh) transport.Attempt {
			return tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				time.Sleep(time.Minute) // as gRPC does until it asks its picker
				lease, err := m.Acquire(ctx, call, open{})
				if err != nil {
					return transport.Outcome{Err: err}
				}
				lease.Done(ended)
				return ended
			})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRefreshable()
				m := newMesh(t, r)
				go func() {
					r.say(listing(), nil)
					time.Sleep(time.Minute)
					r.say(listing("a"), nil)
				}()
				for range 2 {
					if err := m.Do(t.Context(), waiting(), tt.attempt(m)); err != nil {
						t.Fatal(err)
					}
				}
				if got := service(t, m).Instances[0].Stats.Latency; got >= time.Second {
					t.Errorf("latency is %v", got)
				}
			})
		})
	}
}

// open is a gate that is.
type open struct{}

func (open) Ready(*balancer.Node) bool { return true }
