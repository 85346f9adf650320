package fairhttp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// brisk comes and goes without the waiting that a fleet needs.
var brisk = transport.ServeConfig{
	ReadyInterval: 5 * time.Millisecond, AnnounceInterval: time.Nanosecond, Grace: 300 * time.Millisecond, DeleteGrace: 100 * time.Millisecond, Signals: []os.Signal{},
}

// running is an instance of "orders" that serves.
type running struct {
	addr string
	stop context.CancelFunc
	done chan error // what Serve returned
}

// run serves h as an instance of "orders" until it is stopped.
func (s *service) run(t *testing.T, c transport.ServeConfig, h http.Handler) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := fairhttp.Server(&http.Server{Handler: h}, l)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{addr: l.Addr().String(), stop: cancel, done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		r.done <- transport.Serve(ctx, s.mesh, discovery.Instance{Service: "orders"}, c, server)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

// listed returns whether the registry lists an instance at addr, and whether
// that drains.
func (s *service) listed(addr string) (there, draining bool) {
	for snapshot := range s.Watch(context.Background(), "orders") {
		for _, i := range snapshot.Instances {
			if i.Addr == addr {
				return true, i.Draining
			}
		}
		break
	}
	return false, false
}

func accepts(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Trap 34: an instance that leaves says so, serves on until others have heard
// it, deletes its record, and only then stops accepting; what is in flight is
// finished.
func TestTrap34OrderOfLeaving(t *testing.T) {
	orders := newService(t)
	executing, goOn := make(chan struct{}), make(chan struct{})
	c := brisk
	c.Grace, c.DeleteGrace = time.Second, time.Second // for the test to look around
	r := orders.run(t, c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(executing)
		<-goOn
		io.WriteString(w, "whole")
	}))
	until(t, "it is registered", func() bool { there, _ := orders.listed(r.addr); return there })
	answer := make(chan string, 1)
	go func() { // ends with the answer
		resp, err := http.Get("http://" + r.addr)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	<-executing

	// The registry's history is complete: a watcher that keeps up sees every
	// state, and looks at the listener in each.
	var history []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.stop()
	for snapshot := range orders.Watch(ctx, "orders") {
		state := "deleted"
		if len(snapshot.Instances) > 0 {
			state = "serving"
			if snapshot.Instances[0].Draining {
				state = "draining"
			}
		}
		if accepts(r.addr) {
			state += " and accepting"
		}
		if len(history) == 0 || history[len(history)-1] != state {
			history = append(history, state)
		}
		if strings.HasPrefix(state, "deleted") {
			break
		}
	}
	got := strings.Join(history, ", ")
	if want := "draining and accepting, deleted and accepting"; strings.TrimPrefix(got, "serving and accepting, ") != want {
		t.Errorf("the registry and the listener showed %q, want %q", got, want)
	}
	until(t, "it no longer accepts", func() bool { return !accepts(r.addr) })
	select {
	case err := <-r.done:
		t.Fatalf("Serve returned %v with a call in flight", err)
	case a := <-answer:
		t.Fatalf("the call in flight ended with %q before it was finished", a)
	default:
	}
	close(goOn)
	if a := <-answer; a != "whole" {
		t.Errorf("the call in flight ended with %q", a)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// Trap 34: one of three leaves under load, and nobody sees an error, not even
// those who may not be tried again.
func TestTrap34NoCallFailsWhileOneLeaves(t *testing.T) {
	orders := newService(t)
	var executions atomic.Int64
	count := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { executions.Add(1) })
	leaving := orders.run(t, brisk, count)
	orders.run(t, brisk, count)
	orders.run(t, brisk, count)
	until(t, "all are registered", func() bool {
		d := orders.mesh.Dump()
		return len(d.Registrations) == 3
	})
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var calls atomic.Int64
	for i := range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				var resp *http.Response
				var err error
				if i%2 == 0 {
					resp, err = client.Get("mesh://orders/")
				} else {
					resp, err = client.Post("mesh://orders/", "text/plain", strings.NewReader("x"))
				}
				if err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
				resp.Body.Close()
				calls.Add(1)
			}
		})
	}
	until(t, "there is load", func() bool { return calls.Load() > 100 })
	leaving.stop()
	if err := <-leaving.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	after := calls.Load()
	until(t, "there is load without it", func() bool { return calls.Load() > after+100 })
	cancel()
	all.Wait()
	if executions.Load() != calls.Load() {
		t.Errorf("%d executions of %d calls", executions.Load(), calls.Load())
	}
}

// A server that is not ready is not listed, and comes back when it is.
func TestReadiness(t *testing.T) {
	orders := newService(t)
	var ready atomic.Bool
	c := brisk
	c.Ready = func(context.Context) error {
		if !ready.Load() {
			return errors.New("warming up")
		}
		return nil
	}
	r := orders.run(t, c, http.NotFoundHandler())
	until(t, "it accepts", func() bool { return accepts(r.addr) })
	if there, _ := orders.listed(r.addr); there {
		t.Error("it is listed before it is ready")
	}
	for range 2 {
		ready.Store(true)
		until(t, "it is listed", func() bool { there, _ := orders.listed(r.addr); return there })
		ready.Store(false)
		until(t, "it is withdrawn", func() bool { there, _ := orders.listed(r.addr); return !there })
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// Serve in one line: TLS where there is a certificate, an address that others
// can reach, the default signals.
func TestServe(t *testing.T) {
	of, trust := identity(t, "orders")
	orders := newService(t)
	done := make(chan error, 1)
	go func() { // ends with the signal
		srv := &http.Server{Addr: ":0", Handler: say("hello"), TLSConfig: of}
		done <- fairhttp.Serve(context.Background(), orders.mesh, srv, discovery.Instance{Service: "orders"})
	}()
	until(t, "it is registered", func() bool { return len(orders.mesh.Dump().Registrations) == 1 })
	client, _ := orders.client(t, fairhttp.Config{TLS: trust}, nil)
	if resp, body := fetch(t, client, "GET", "mesh://orders/", ""); body != "hello" || resp.Proto != "HTTP/2.0" {
		t.Errorf("it answered %q over %s", body, resp.Proto)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGTERM); err != nil {
		t.Skipf("this system has no signals: %v", err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Serve did not end with the signal")
	}
	if n := len(orders.mesh.Dump().Registrations); n != 0 {
		t.Errorf("%d registrations are left", n)
	}
}

func TestServeRefuses(t *testing.T) {
	orders := newService(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ name, addr, service, want string }{
		{"a bad service name", "127.0.0.1:0", "Orders", `"Orders" is invalid`},
		{"an address in use", taken.Addr().String(), "orders", "address already in use"},
		{"an address that is none", "127.0.0.1:http:", "orders", "127.0.0.1:http:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := fairhttp.Serve(t.Context(), orders.mesh, &http.Server{Addr: c.addr}, discovery.Instance{Service: c.service})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Serve: %v, want %q in it", err, c.want)
			}
		})
	}
}

// A call that does not end in time is cut off, and Serve says so.
func TestShutdownTimeout(t *testing.T) {
	orders := newService(t)
	c := brisk
	c.ShutdownTimeout = 10 * time.Millisecond
	executing := make(chan struct{})
	r := orders.run(t, c, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(executing)
		<-r.Context().Done()
	}))
	until(t, "it accepts", func() bool { return accepts(r.addr) })
	go http.Get("http://" + r.addr) // ends when it is cut off
	<-executing
	r.stop()
	if err := <-r.done; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "calls were cut off") {
		t.Errorf("Serve: %v, want an error about calls that were cut off", err)
	}
}
