package fairhttp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// hedging sends every call a second time that has no answer at once.
var hedging = transport.WithHedge(retry.HedgeConfig{Delay: 10 * time.Millisecond, MaxExtra: 1})

// secondly is a handler that does something else for the second attempt of a call
// than for the first.
func secondly(first, second http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(fairhttp.Attempt) == "2" {
			second(w, r)
			return
		}
		first(w, r)
	}
}

// hangs executes until its caller gives up, and says so.
func hangs(gaveUp *atomic.Int64) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		gaveUp.Add(1)
		panic(http.ErrAbortHandler)
	}
}

// Trap 32: the second attempt goes to another instance in an exchange of its own;
// its answer is whole, and the loser is ended and judged by nobody.
func TestTrap32HedgeWins(t *testing.T) {
	long := strings.Repeat("hello ", 50<<10)
	for _, w := range wires(t) {
		for _, body := range []string{"", "two sheep"} {
			t.Run(w.name+"/"+body, func(t *testing.T) {
				t.Parallel()
				var gaveUp, cut atomic.Int64
				h := secondly(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("X-Own") != "" {
						hangs(&gaveUp)(w, r)
					}
				}, func(w http.ResponseWriter, r *http.Request) {
					if got, _ := io.ReadAll(r.Body); string(got) != body {
						t.Errorf("the second attempt has body %q", got)
					}
					w.Header().Set("Trailer", "Checksum")
					for part := range strings.SplitAfterSeq(long, strings.Repeat("hello ", 1<<10)) {
						if _, err := io.WriteString(w, part); err != nil {
							cut.Add(1)
						}
						http.NewResponseController(w).Flush()
					}
					w.Header().Set("Checksum", "42")
				})
				a, b := serve(t, h, w.server), serve(t, h, w.server)
				// The connection of each loser is closed: the next first attempt needs the
				// time for a handshake.
				patient := transport.WithHedge(retry.HedgeConfig{Delay: 200 * time.Millisecond, MaxExtra: 1})
				orders := newServiceWith(t, []transport.Option{patient, pressed(time.Hour)}, a.addr(), b.addr())
				_, rt := orders.client(t, w.client, nil)
				for range 2 { // there are connections
					fetch(t, &http.Client{Transport: rt}, "POST", "mesh://orders/", "")
				}
				ctx := transport.WithCall(t.Context(), transport.Idempotent(true))
				const calls = 3
				for range calls {
					buffer := bytes.NewBufferString(body)
					req, _ := http.NewRequestWithContext(ctx, "POST", "mesh://orders/path", buffer)
					req.Header.Set("X-Own", "1")
					resp, err := rt.RoundTrip(req)
					if err != nil {
						t.Fatal(err)
					}
					if resp.Request != req || req.URL.String() != "mesh://orders/path" || len(req.Header) != 1 {
						t.Errorf("the answer names %v, %v", resp.Request.URL, resp.Request.Header)
					}
					// The request is the caller's again.
					req.Header.Set("X-Own", "spoiled")
					req.URL.Path = "/spoiled"
					buffer.Reset()
					buffer.WriteString("spoiled, all of it")
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if string(got) != long || err != nil || resp.Trailer.Get("Checksum") != "42" {
						t.Errorf("the answer has %d bytes of %d and trailer %v: %v", len(got), len(long), resp.Trailer, err)
					}
				}
				until(t, "the losers are ended", func() bool { return gaveUp.Load() == calls && orders.outstanding() == 0 })
				if n := orders.attempts(); n["success"] != calls+2 || n["neutral"] != calls || cut.Load() != 0 {
					t.Errorf("attempts by outcome %v, %d cut", n, cut.Load())
				}
				if a.executions.Load() != calls+1 || b.executions.Load() != calls+1 {
					t.Errorf("%d executions on the one and %d on the other: both of a call went to one", a.executions.Load(), b.executions.Load())
				}
			})
		}
	}
}

// Trap 32: a failure that is faster does not win, be it the first's or the
// second's, and nothing of it is left.
func TestTrap32SuccessIsPreferred(t *testing.T) {
	long := strings.Repeat("hello ", 100<<10) // more than is read ahead
	for _, w := range wires(t) {
		for _, secondFails := range []bool{false, true} {
			t.Run(w.name+map[bool]string{false: "/FirstFails", true: "/SecondFails"}[secondFails], func(t *testing.T) {
				began, failed := make(chan struct{}), make(chan struct{})
				fails := func(w http.ResponseWriter, r *http.Request) {
					if !secondFails {
						<-began
					}
					w.WriteHeader(503)
					w.Write(make([]byte, 1000))
					close(failed)
				}
				succeeds := func(w http.ResponseWriter, r *http.Request) {
					close(began)
					<-failed
					time.Sleep(50 * time.Millisecond) // so that the failure is there by then
					io.WriteString(w, long)
				}
				h := secondly(fails, succeeds)
				if secondFails {
					h = secondly(succeeds, fails)
				}
				a, b := serve(t, h, w.server), serve(t, h, w.server)
				orders := newServiceWith(t, []transport.Option{hedging}, a.addr(), b.addr())
				client, rt := orders.client(t, w.client, nil)
				if resp, body := fetch(t, client, "GET", "mesh://orders/", ""); resp.StatusCode != 200 || body != long {
					t.Errorf("the answer is %s with %d bytes", resp.Status, len(body))
				}
				until(t, "nothing is in flight", func() bool { return orders.outstanding() == 0 })
				until(t, "no connection is left", func() bool {
					rt.CloseIdleConnections()
					return a.open.Load()+b.open.Load() == 0
				})
			})
		}
	}
}

// Where both fail the last failure is the answer of the race, and what retries say
// follows.
func TestHedgeBothFail(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(fairhttp.Attempt) == "" {
			time.Sleep(50 * time.Millisecond)
		}
		w.WriteHeader(500)
		io.WriteString(w, "why")
	}
	a, b := serve(t, h), serve(t, h)
	orders := newServiceWith(t, []transport.Option{hedging}, a.addr(), b.addr())
	client, rt := orders.client(t, fairhttp.Config{}, nil)
	if resp, body := fetch(t, client, "GET", "mesh://orders/", ""); resp.StatusCode != 500 || body != "why" {
		t.Errorf("the answer is %s %q", resp.Status, body)
	}
	until(t, "nothing is in flight", func() bool { return orders.outstanding() == 0 })
	rt.CloseIdleConnections()
	until(t, "no connection is left", func() bool { return a.open.Load()+b.open.Load() == 0 })
	if a.executions.Load() != 1 || b.executions.Load() != 1 {
		t.Errorf("%d and %d executions", a.executions.Load(), b.executions.Load())
	}
}

// What is not to be sent twice is not, and the first answer is waited for.
func TestNotHedged(t *testing.T) {
	declared := func(yes bool) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context {
			return transport.WithCall(ctx, transport.Idempotent(yes))
		}
	}
	for _, c := range []struct {
		name, method string
		body         io.Reader
		call         func(context.Context) context.Context
		header       string
	}{
		{"Post", "POST", strings.NewReader("x"), nil, ""},
		{"DeclaredNotIdempotent", "GET", nil, declared(false), ""},
		{"BodyWithoutGetBody", "PUT", newTracked("x"), declared(true), ""},
		{"BodyOfMoreThan64KiB", "PUT", strings.NewReader(strings.Repeat("x", 64<<10+1)), declared(true), ""},
		{"EventStream", "GET", nil, nil, "text/event-stream"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				time.Sleep(50 * time.Millisecond)
			}
			a, b := serve(t, h), serve(t, h)
			orders := newServiceWith(t, []transport.Option{hedging}, a.addr(), b.addr())
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			ctx := t.Context()
			if c.call != nil {
				ctx = c.call(ctx)
			}
			req, _ := http.NewRequestWithContext(ctx, c.method, "mesh://orders/", c.body)
			if c.header != "" {
				req.Header.Set("Accept", c.header)
			}
			send(t, client, req)
			if n := a.executions.Load() + b.executions.Load(); n != 1 {
				t.Errorf("%d executions", n)
			}
		})
	}
}

// Row 44: a caller that gives up during a race ends both, and is held against
// nobody.
func TestHedgeCallerGivesUp(t *testing.T) {
	var gaveUp atomic.Int64
	h := hangs(&gaveUp)
	a, b := serve(t, h), serve(t, h)
	orders := newServiceWith(t, []transport.Option{hedging, pressed(time.Hour)}, a.addr(), b.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with the two
		for a.executions.Load()+b.executions.Load() < 2 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
	if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
	until(t, "both are ended", func() bool { return gaveUp.Load() == 2 && orders.outstanding() == 0 })
	until(t, "both are counted", func() bool { return orders.attempts()["neutral"] == 2 })
}

// What bounded the two attempts ends with the answer, whoever won.
func TestHedgeReleasesContexts(t *testing.T) {
	for _, second := range []bool{false, true} {
		h := secondly(func(w http.ResponseWriter, r *http.Request) {
			if second {
				<-r.Context().Done()
				return
			}
			time.Sleep(50 * time.Millisecond)
			io.WriteString(w, "hello")
		}, func(w http.ResponseWriter, r *http.Request) {
			if !second {
				<-r.Context().Done()
				return
			}
			io.WriteString(w, "hello")
		})
		orders := newServiceWith(t, []transport.Option{hedging, pressed(time.Hour)}, serve(t, h).addr(), serve(t, h).addr())
		wire := new(http.Transport)
		t.Cleanup(wire.CloseIdleConnections)
		saw := make(chan context.Context, 10)
		client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
			saw <- r.Context()
			return wire.RoundTrip(r)
		}))
		if _, body := fetch(t, client, "GET", "mesh://orders/", ""); body != "hello" {
			t.Errorf("the answer is %q", body)
		}
		for range 2 {
			ctx := <-saw
			until(t, "the context of an attempt ends", func() bool { return ctx.Err() != nil })
		}
	}
}

// Trap 14, 32: whatever an attempt of a race obtained and the caller does not get is
// closed.
func TestTrap32LosersAnswersAreClosed(t *testing.T) {
	for _, secondWins := range []bool{false, true} {
		began := make(chan struct{})
		bodies := map[bool]*tracked{true: newTracked("hello"), false: newTracked("hello")}
		orders := newServiceWith(t, []transport.Option{hedging}, "127.0.0.1:1", "127.0.0.1:2")
		client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
			second := r.Header.Get(fairhttp.Attempt) == "2"
			if second {
				close(began)
				if secondWins {
					return &http.Response{StatusCode: 200, Header: http.Header{}, Body: bodies[true], ContentLength: 5}, nil
				}
				return &http.Response{StatusCode: 500, Header: http.Header{}, Body: bodies[true], ContentLength: 5}, nil
			}
			<-began
			if secondWins {
				<-r.Context().Done() // and does not care
			} else {
				time.Sleep(20 * time.Millisecond)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: bodies[false], ContentLength: 5}, nil
		}))
		if _, body := fetch(t, client, "GET", "mesh://orders/", ""); body != "hello" {
			t.Errorf("the answer is %q", body)
		}
		until(t, "both bodies are closed", func() bool { return bodies[true].closes() > 0 && bodies[false].closes() > 0 })
		until(t, "nothing is in flight", func() bool { return orders.outstanding() == 0 })
	}
}

// Trap 32: a request is the caller's again as soon as it has an answer, although a
// loser may still be about to send it.
func TestTrap32LoserHasItsOwnRequest(t *testing.T) {
	answered, spoiled := make(chan struct{}), make(chan struct{})
	loser := make(chan [3]string, 1)
	orders := newServiceWith(t, []transport.Option{hedging}, "127.0.0.1:1", "127.0.0.1:2")
	_, rt := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get(fairhttp.Attempt) == "2" {
			close(answered)
			<-spoiled
			body, _ := io.ReadAll(r.Body)
			loser <- [3]string{r.URL.Path, r.Header.Get("X-Own"), string(body)}
			return nil, r.Context().Err()
		}
		<-answered
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
	}))
	ctx := transport.WithCall(t.Context(), transport.Idempotent(true))
	buffer := bytes.NewBufferString("two sheep")
	req, _ := http.NewRequestWithContext(ctx, "PUT", "mesh://orders/path", buffer)
	req.Header.Set("X-Own", "1")
	if _, err := rt.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Own", "spoiled")
	req.URL.Path = "/spoiled"
	buffer.Reset()
	buffer.WriteString("spoiled, all of it")
	close(spoiled)
	if got, want := <-loser, [3]string{"/path", "1", "two sheep"}; got != want {
		t.Errorf("the loser sends %q, want %q", got, want)
	}
	until(t, "nothing is in flight", func() bool { return orders.outstanding() == 0 })
}
