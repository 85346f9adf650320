package transport_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// diary is what happened in a test, and when.
type diary struct {
	mu      sync.Mutex
	began   time.Time
	entries []string
}

func newDiary() *diary { return &diary{began: time.Now()} }

func (d *diary) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf("%v %s", time.Since(d.began), what))
}

func (d *diary) want(t *testing.T, entries ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.entries, entries) {
		t.Errorf("it went\n\t%s\nwant\n\t%s", strings.Join(d.entries, "\n\t"), strings.Join(entries, "\n\t"))
	}
}

// server is a transport.Server that writes into a diary.
type server struct {
	name     string
	diary    *diary
	inFlight time.Duration // how long Shutdown has to wait
	fails    <-chan error  // ends Serve
	stopped  chan struct{}
	served   atomic.Bool
}

func newServer(name string, d *diary) *server {
	return &server{name: name, diary: d, stopped: make(chan struct{})}
}

func (s *server) Endpoint() discovery.Endpoint {
	return discovery.Endpoint{Protocol: discovery.Protocol(s.name), Addr: "10.0.0.7:80"}
}

func (s *server) Serve() error {
	s.served.Store(true)
	select {
	case err := <-s.fails:
		s.diary.note(s.name + " fails")
		return err
	case <-s.stopped:
		return nil
	}
}

func (s *server) Shutdown(ctx context.Context) error {
	s.diary.note(s.name + " stops accepting")
	defer close(s.stopped)
	if s.inFlight > 0 { // a wait for nothing would be golang/go#78156, as in fairleadtest
		select {
		case <-time.After(s.inFlight):
		case <-ctx.Done():
			s.diary.note(s.name + " cuts off")
			return ctx.Err()
		}
	}
	s.diary.note(s.name + " is done")
	return nil
}

// watch writes the state of orders, as somebody else sees it, into the diary.
func (d *diary) watch(t *testing.T, registry discovery.Registry) {
	go func() {
		last := "gone"
		for s := range registry.Watch(t.Context(), "orders") {
			now := "gone"
			for _, i := range s.Instances {
				if now = "there"; i.Draining {
					now = "draining"
				}
			}
			if now != last {
				d.note("others see it " + now)
				last = now
			}
		}
	}()
	synctest.Wait()
}

// none keeps the tests apart from real signals.
var none = []os.Signal{}

var me = discovery.Instance{ID: "me", Service: "orders"}

// Trap 34, the shutdown that closes first and tells later: here is the order,
// with the times that a zero ServeConfig gives it.
func TestTrap34ServeComesAndGoesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fleet := newDiary(), orders()
		d.watch(t, fleet)
		m := newMesh(t, fleet)
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		s := newServer("http", d)
		s.inFlight = 7 * time.Second
		if err := transport.Serve(ctx, m, me, transport.ServeConfig{Signals: none}, s); err != nil {
			t.Error(err)
		}
		d.want(t,
			"0s others see it there",
			"1m0s others see it draining",
			"1m2s others see it gone",
			"1m2.5s http stops accepting",
			"1m9.5s http is done",
		)
	})
}

// Two servers are one instance, and end together.
func TestServeSeveralServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fleet := newDiary(), orders()
		m := newMesh(t, fleet)
		ctx, stop := context.WithCancel(t.Context())
		http, grpc := newServer("http", d), newServer("grpc", d)
		http.inFlight, grpc.inFlight = 5*time.Second, 5*time.Second
		served := make(chan error)
		go func() {
			served <- transport.Serve(ctx, m, me, transport.ServeConfig{Signals: none}, http, grpc)
		}()
		synctest.Wait()
		knowing(t, m)
		node := m.Dump().Services[0].Instances[0]
		if node.ID != "me" || node.Addr != "10.0.0.7:80" || len(m.Dump().Services[0].Instances) != 1 {
			t.Errorf("announced as %+v", node)
		}
		began := time.Now()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*time.Second+500*time.Millisecond+5*time.Second {
			t.Errorf("it took %v: the servers did not end together", took)
		}
	})
}

// An instance that names its endpoints, as behind a port mapping, is announced
// as it says.
func TestServeKeepsTheInstancesOwnEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders()
		m := newMesh(t, fleet)
		ctx, stop := context.WithCancel(t.Context())
		mapped := me
		mapped.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "192.0.2.1:8080"}}
		served := make(chan error)
		go func() {
			served <- transport.Serve(ctx, m, mapped, transport.ServeConfig{Signals: none}, newServer("http", newDiary()))
		}()
		synctest.Wait()
		knowing(t, m)
		if got := m.Dump().Services[0].Instances[0].Addr; got != "192.0.2.1:8080" {
			t.Errorf("announced at %s", got)
		}
		stop()
		<-served
	})
}

// Readiness announces and withdraws; a check that hangs has failed.
func TestServeFollowsReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		d, fleet := newDiary(), orders()
		d.watch(t, fleet)
		m := newMesh(t, fleet, log.option())
		var state atomic.Value
		state.Store("not yet")
		ready := func(ctx context.Context) error {
			switch s := state.Load().(string); s {
			case "ready":
				return nil
			case "hangs":
				<-ctx.Done()
				return ctx.Err()
			default:
				return errors.New(s)
			}
		}
		go func() {
			time.Sleep(500 * time.Millisecond) // nothing falls together with a check
			for at, s := range []string{1: "ready", 2: "database lost", 3: "ready", 4: "hangs", 5: "ready"} {
				if at > 0 {
					time.Sleep(10 * time.Second)
					state.Store(s)
				}
			}
		}()
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(59*time.Second, stop)
		config := transport.ServeConfig{Ready: ready, Grace: time.Nanosecond, DeleteGrace: time.Nanosecond, Signals: none,
			ReadyInterval: 3 * time.Second}
		if err := transport.Serve(ctx, m, me, config, newServer("http", d)); err != nil {
			t.Error(err)
		}
		d.want(t,
			"12s others see it there",
			"21s others see it draining",
			"21.000000001s others see it gone",
			"33s others see it there",
			"45s others see it draining",
			"45.000000001s others see it gone",
			"51.000000001s others see it there",
			"59s others see it draining",
			"59.000000001s others see it gone",
			"59.000000002s http stops accepting",
			"59.000000002s http is done",
		)
		if log.lines("not ready yet") != 1 || log.lines("database lost") != 1 {
			t.Error("it is not logged once each why it was not announced, and why withdrawn")
		}
	})
}

// Not ready: never announced, so that nobody has to be told of the end.
func TestServeThatNeverWasReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fleet := newDiary(), orders()
		d.watch(t, fleet)
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(10500*time.Millisecond, stop)
		config := transport.ServeConfig{Ready: func(context.Context) error { return errDown }, Signals: none}
		if err := transport.Serve(ctx, newMesh(t, fleet), me, config, newServer("http", d)); err != nil {
			t.Error(err)
		}
		d.want(t, "10.5s http stops accepting", "10.5s http is done")
	})
}

// Withdrawn a moment ago and then told to end: callers have the same time to
// hear of it as at any other end.
func TestServeStopsNoSoonerAfterAWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fleet := newDiary(), orders()
		d.watch(t, fleet)
		var down atomic.Bool
		time.AfterFunc(10500*time.Millisecond, func() { down.Store(true) })
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(12*time.Second, stop)
		config := transport.ServeConfig{Signals: none, Ready: func(context.Context) error {
			if down.Load() {
				return errDown
			}
			return nil
		}}
		if err := transport.Serve(ctx, newMesh(t, fleet), me, config, newServer("http", d)); err != nil {
			t.Error(err)
		}
		d.want(t,
			"0s others see it there",
			"11s others see it draining",
			"12s others see it gone",     // told to end: no more waiting to withdraw
			"14.5s http stops accepting", // 2 s and 500 ms later
			"14.5s http is done",
		)
	})
}

// A server that the application itself has ended is announced no longer.
func TestServeEndsWithAServerThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fleet := newDiary(), orders()
		d.watch(t, fleet)
		ends := make(chan error)
		time.AfterFunc(time.Minute, func() { close(ends) })
		s := newServer("http", d)
		s.fails = ends
		if err := transport.Serve(t.Context(), newMesh(t, fleet), me, transport.ServeConfig{Signals: none}, s); err != nil {
			t.Error(err)
		}
		d.want(t,
			"0s others see it there",
			"1m0s http fails",
			"1m0s others see it draining",
			"1m2s others see it gone",
			"1m2.5s http stops accepting",
			"1m2.5s http is done",
		)
	})
}

// A server that fails ends the others, in order, and Serve tells why.
func TestServeEndsWithAFailingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fleet := newDiary(), orders()
		d.watch(t, fleet)
		broken := errors.New("too many open files")
		fails := make(chan error)
		time.AfterFunc(time.Minute, func() { fails <- broken })
		good, bad := newServer("http", d), newServer("grpc", d)
		bad.fails = fails
		err := transport.Serve(t.Context(), newMesh(t, fleet), me, transport.ServeConfig{Signals: none}, good, bad)
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "serve grpc at 10.0.0.7:80") {
			t.Errorf("error is %v", err)
		}
		d.mu.Lock()
		d.entries = slices.DeleteFunc(d.entries, func(e string) bool { return strings.Contains(e, "grpc") })
		d.mu.Unlock()
		d.want(t,
			"0s others see it there",
			"1m0s others see it draining",
			"1m2s others see it gone",
			"1m2.5s http stops accepting",
			"1m2.5s http is done",
		)
	})
}

// What is in flight has ShutdownTimeout; what is left then is cut off.
func TestServeWaitsForCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		s := newServer("http", d)
		s.inFlight = time.Hour
		err := transport.Serve(ctx, newMesh(t, orders()), me, transport.ServeConfig{Signals: none}, s)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		d.want(t, "3.5s http stops accepting", "33.5s http cuts off")
	})
}

// A registry that is dead on the way out keeps nobody alive.
func TestServeLeavesWithADeadRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		d, fleet := newDiary(), orders()
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, func() {
			fleet.Fail(errDown)
			stop()
		})
		if err := transport.Serve(ctx, newMesh(t, fleet, log.option()), me, transport.ServeConfig{Signals: none}, newServer("http", d)); err != nil {
			t.Error(err)
		}
		// 5 s for draining, 2 s of grace, 5 s for the deletion, 0.5 s of grace.
		d.want(t, "1m12.5s http stops accepting", "1m12.5s http is done")
		if log.lines("nobody may know") != 1 || log.lines("it will expire") != 1 {
			t.Errorf("it is not logged:\n%s", log.text.String())
		}
	})
}

// Its own watch is late: others may not know yet, so it waits for that too.
func TestServeWaitsUntilItsDrainingIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, fleet := newDiary(), orders()
		late := &lagging{Fleet: fleet, by: 3 * time.Second}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		m := newMesh(t, late)
		m.Do(canceled(), get(), never(t)) // it is watched from the beginning
		if err := transport.Serve(ctx, m, me, transport.ServeConfig{Signals: none}, newServer("http", d)); err != nil {
			t.Error(err)
		}
		d.want(t, "1m5.5s http stops accepting", "1m5.5s http is done")
	})
}

// A mesh that is closed too early leaves nobody to see the draining: that is
// told, and the rest goes on.
func TestServeOverAMeshThatWasClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		d, fleet := newDiary(), orders()
		late := &lagging{Fleet: fleet, by: 3 * time.Second}
		ctx, stop := context.WithCancel(t.Context())
		m := newMesh(t, late, log.option())
		m.Do(canceled(), get(), never(t))
		time.AfterFunc(time.Minute, stop)
		time.AfterFunc(time.Minute+time.Second, func() { m.Close(t.Context()) })
		if err := transport.Serve(ctx, m, me, transport.ServeConfig{Signals: none}, newServer("http", d)); err != nil {
			t.Error(err)
		}
		d.want(t, "1m3.5s http stops accepting", "1m3.5s http is done")
		if log.lines("nobody may know") != 1 || log.lines(transport.ErrClosed.Error()) != 1 {
			t.Errorf("it is not logged:\n%s", log.text.String())
		}
	})
}

// lagging is a registry whose watches hear of everything late.
type lagging struct {
	*fairleadtest.Fleet
	by time.Duration
}

func (l *lagging) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		for s, err := range l.Fleet.Watch(ctx, service) {
			time.Sleep(l.by)
			if !yield(s, err) {
				return
			}
		}
	}
}

// Serve that could not announce the instance, now or later, does not go on as
// if nothing were wrong.
func TestServeRefusesWhatCannotBeAnnounced(t *testing.T) {
	static, err := discovery.NewStatic()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		registry func() discovery.Registry
		instance discovery.Instance
		config   transport.ServeConfig
		cause    error
		says     string
		served   bool
	}{
		{"a bad name", func() discovery.Registry { return orders() }, discovery.Instance{Service: "Orders"}, transport.ServeConfig{}, discovery.ErrInvalid, `"Orders"`, false},
		{"a bad duration", func() discovery.Registry { return orders() }, me, transport.ServeConfig{Grace: -1}, discovery.ErrInvalid, "ServeConfig.Grace", false},
		{"a registry that can only be read", func() discovery.Registry { return static }, me, transport.ServeConfig{}, transport.ErrNoRegistrar, "", false},
		{"an ID that is taken", func() discovery.Registry { return orders("me") }, me, transport.ServeConfig{}, discovery.ErrInvalid, "register me of orders", true},
		{"an ID that is taken, once it is ready", func() discovery.Registry { return orders("me") }, me, transport.ServeConfig{Ready: func(context.Context) error { return nil }}, discovery.ErrInvalid, "register me of orders", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDiary()
				tt.config.Signals = none
				s := newServer("http", d)
				err := transport.Serve(t.Context(), newMesh(t, tt.registry()), tt.instance, tt.config, s)
				if !errors.Is(err, tt.cause) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error is %v", err)
				}
				if s.served.Load() != tt.served {
					t.Errorf("served: %t", s.served.Load())
				}
				if tt.served {
					d.want(t, "0s http stops accepting", "0s http is done")
				} else {
					d.want(t)
				}
			})
		})
	}
}

func TestServeConfigValidate(t *testing.T) {
	if err := (transport.ServeConfig{}).Validate(); err != nil {
		t.Errorf("zero: %v", err)
	}
	for field, c := range map[string]transport.ServeConfig{
		"ReadyInterval":   {ReadyInterval: -time.Second},
		"Grace":           {Grace: -time.Second},
		"DeleteGrace":     {DeleteGrace: -time.Second},
		"ShutdownTimeout": {ShutdownTimeout: -time.Second},
		"RegistryTimeout": {RegistryTimeout: -time.Second},
	} {
		e, ok := errors.AsType[*discovery.FieldError](c.Validate())
		if !ok || e.Field != "ServeConfig."+field || e.Value != -time.Second || e.Allowed == "" {
			t.Errorf("%s: %v", field, c.Validate())
		}
	}
}
