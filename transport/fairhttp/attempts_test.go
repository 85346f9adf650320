package fairhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// retrying has answers of some statuses tried again, beside what is by default.
func retrying(statuses ...int) transport.Option {
	return transport.WithRetry(retry.Policy{On: retry.ConnectFailure | retry.Reset | retry.TimedOut, Codes: statuses,
		Backoff: retry.BackoffConfig{BaseInterval: time.Millisecond}})
}

// pressed is retrying with a time for each attempt.
func pressed(d time.Duration, statuses ...int) transport.Option {
	return transport.WithRetry(retry.Policy{On: retry.ConnectFailure | retry.Reset | retry.TimedOut, Codes: statuses,
		Backoff: retry.BackoffConfig{BaseInterval: time.Millisecond}, AttemptTimeout: d})
}

// lastly is a handler that says "hello" to the third attempt of a call, and fails
// those before it.
func lastly(fail http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(fairhttp.Attempt) != "3" {
			fail(w, r)
			return
		}
		io.WriteString(w, "hello")
	}
}

// answering is a handler that answers with a status and a body of n bytes.
func answering(status, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		w.Write(make([]byte, n))
	}
}

// Trap 14, H7: 20 calls, two answers of 503 of each thrown away. Their connections
// are used again, and nothing stays behind.
func TestTrap14DiscardedAnswersLeakNothing(t *testing.T) {
	for _, w := range wires(t) {
		for _, c := range []struct {
			name  string
			bytes int
		}{{"empty", 0}, {"short", 100}, {"64 KiB", 64 << 10}} {
			t.Run(w.name+"/"+c.name, func(t *testing.T) {
				fail := lastly(answering(503, c.bytes))
				a, b := serve(t, fail, w.server), serve(t, fail, w.server)
				orders := newServiceWith(t, []transport.Option{retrying(503)}, a.addr(), b.addr())
				client, _ := orders.client(t, w.client, nil)
				for range 20 {
					if resp, body := fetch(t, client, "GET", "mesh://orders/", ""); resp.StatusCode != 200 || body != "hello" {
						t.Fatalf("the answer is %s %q", resp.Status, body)
					}
				}
				if n := a.executions.Load() + b.executions.Load(); n != 60 {
					t.Errorf("%d executions of 20 calls of three attempts", n)
				}
				if n := a.connections.Load() + b.connections.Load(); n != 2 {
					t.Errorf("%d connections to two servers", n)
				}
				if n := orders.outstanding(); n != 0 {
					t.Errorf("%d calls in flight", n)
				}
				client.CloseIdleConnections()
				until(t, "no connection is left", func() bool { return a.open.Load()+b.open.Load() == 0 })
			})
		}
	}
}

// H7: what a retry throws away is read for no more than 64 KiB and 50 ms: what is
// longer, or has no end, costs its connection and not the caller's time.
func TestH7LongAnswersAreNotDrained(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"LongerThanThat": answering(503, 1<<20),
		"WithoutEnd": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4<<10)); err != nil {
					return
				}
				http.NewResponseController(w).Flush()
			}
		},
		"Silent": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, lastly(fail))
			orders := newServiceWith(t, []transport.Option{retrying(503)}, s.addr())
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			if _, body := fetch(t, client, "GET", "mesh://orders/", ""); body != "hello" {
				t.Errorf("the answer is %q", body)
			}
			if n := s.connections.Load(); n != 3 {
				t.Errorf("%d connections for three attempts", n)
			}
			until(t, "the given up connections are closed", func() bool { return s.open.Load() == 1 && orders.outstanding() == 0 })
			if n := orders.attempts(); n["overload"] != 2 || n["success"] != 1 {
				t.Errorf("attempts by outcome %v", n)
			}
		})
	}
}

// Trap 16: an answer that is thrown away does not take the time of the call with
// it, and in the end nothing of that is left, whoever outlives the call.
func TestTrap16TimeOfTheCallOutlivesDiscardedAnswers(t *testing.T) {
	for _, c := range []struct {
		name    string
		bytes   int // of each failure
		attempt time.Duration
		call    time.Duration
	}{
		{"Timeout", 100, 0, time.Hour},
		{"TimeoutAndNoBodies", 0, 0, time.Hour},
		{"AttemptTimeout", 100, time.Minute, 0},
		{"AttemptTimeoutAndNoBodies", 0, time.Minute, 0},
		{"Both", 100, time.Minute, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := bounded(c.call)
			s := serve(t, lastly(answering(503, c.bytes)))
			orders := ruled(t, p, []*server{s}, pressed(c.attempt, 503))
			wire := new(http.Transport)
			t.Cleanup(wire.CloseIdleConnections)
			var saw []context.Context
			client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
				saw = append(saw, r.Context())
				return wire.RoundTrip(r)
			}))
			parent, cancel := context.WithCancel(t.Context()) // lives long
			defer cancel()
			req, _ := http.NewRequestWithContext(parent, "GET", "mesh://orders/", nil)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if len(saw) != 3 || saw[2].Err() != nil {
				t.Fatalf("%d attempts, the context of the last has ended with %v before the body", len(saw), saw[len(saw)-1].Err())
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != "hello" || err != nil {
				t.Errorf("the answer is %q: %v", body, err)
			}
			for n, ctx := range saw {
				if !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("the context of attempt %d has ended with %v", n+1, ctx.Err())
				}
			}
		})
	}
}

// Trap 16: calls with a parent that lives long leave no goroutine, and no context
// that is not released, however they end.
func TestTrap16LongLivedParents(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			w.Write(make([]byte, 100<<10))
		case "/lost":
			panic(http.ErrAbortHandler)
		case "/503":
			w.WriteHeader(503)
		default:
			io.WriteString(w, "hello")
		}
	})
	orders := newServiceWith(t, []transport.Option{pressed(time.Hour, 503)}, s.addr())
	wire := new(http.Transport)
	t.Cleanup(wire.CloseIdleConnections)
	var mu sync.Mutex
	var saw []context.Context
	client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		saw = append(saw, r.Context())
		mu.Unlock()
		return wire.RoundTrip(r)
	}))
	parent, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := 0
	for n := range 40 {
		for _, path := range []string{"/", "/long", "/lost", "/503"} {
			req, _ := http.NewRequestWithContext(parent, "GET", "mesh://orders"+path, nil)
			if resp, err := client.Do(req); err == nil {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		}
		if n == 4 {
			before = runtime.NumGoroutine()
		}
	}
	until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+5 })
	for n, ctx := range saw {
		if ctx.Err() == nil {
			t.Fatalf("the context of attempt %d of %d was never released", n+1, len(saw))
		}
	}
}

// Trap 18: after a retry, too, the answer names the request of the caller.
func TestTrap18AfterARetry(t *testing.T) {
	s := serve(t, lastly(answering(503, 10)))
	orders := newServiceWith(t, []transport.Option{retrying(503)}, s.addr())
	_, rt := orders.client(t, fairhttp.Config{}, nil)
	var kept []*http.Response
	var want []*http.Request
	for range 5 {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		kept, want = append(kept, resp), append(want, req)
	}
	for i, resp := range kept {
		if resp.Request != want[i] || resp.Request.URL.String() != "mesh://orders/" || resp.Request.Header.Get(fairhttp.Attempt) != "" {
			t.Errorf("answer %d names %v, %v", i, resp.Request.URL, resp.Request.Header)
		}
	}
}

// Trap 19, H4: what is tried again for its status is sent whole each time, by
// GetBody; without GetBody an answer is the last, and is handed out.
func TestTrap19StatusAndBody(t *testing.T) {
	for _, b := range []struct {
		name string
		base http.RoundTripper
	}{{"OwnConnections", nil}, {"SharedBase", wrapped{http.DefaultTransport}}} {
		for _, getBody := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/GetBody=%t", b.name, getBody), func(t *testing.T) {
				var got []string
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					got = append(got, string(body))
					if len(got) < 3 {
						w.WriteHeader(503)
					}
					fmt.Fprint(w, "answer ", len(got))
				})
				orders := newServiceWith(t, []transport.Option{retrying(503)}, s.addr())
				_, rt := orders.client(t, fairhttp.Config{}, b.base)
				bodies := []*tracked{newTracked("two sheep")}
				ctx := transport.WithCall(t.Context(), transport.Idempotent(true))
				req, _ := http.NewRequestWithContext(ctx, "PUT", "mesh://orders/", bodies[0])
				if getBody {
					req.GetBody = func() (io.ReadCloser, error) {
						bodies = append(bodies, newTracked("two sheep"))
						return bodies[len(bodies)-1], nil
					}
				}
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				want, attempts := "answer 3", 3
				if !getBody {
					want, attempts = "answer 1", 1
				}
				if string(answer) != want || err != nil || len(got) != attempts || slices.ContainsFunc(got, func(s string) bool { return s != "two sheep" }) {
					t.Errorf("the answer is %d %q, %v; the server got %q", resp.StatusCode, answer, err, got)
				}
				for i, b := range bodies {
					until(t, "the body is closed", func() bool { return b.closes() > 0 })
					if b.closes() != 1 {
						t.Errorf("body %d of %d was closed %d times", i+1, len(bodies), b.closes())
					}
				}
			})
		}
	}
}

// H3: a base that never looks at the body does not keep it open, in no attempt.
func TestH3UnreadBodiesOfRetriedAnswersAreClosed(t *testing.T) {
	orders := newServiceWith(t, []transport.Option{retrying(503)}, "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")
	_, rt := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
		r.Body.Close()
		return &http.Response{StatusCode: 503, Header: http.Header{}, Body: http.NoBody}, nil
	}))
	bodies := []*tracked{newTracked("two sheep")}
	ctx := transport.WithCall(t.Context(), transport.Idempotent(true))
	req, _ := http.NewRequestWithContext(ctx, "PUT", "mesh://orders/", bodies[0])
	req.GetBody = func() (io.ReadCloser, error) {
		bodies = append(bodies, newTracked("two sheep"))
		return bodies[len(bodies)-1], nil
	}
	resp, err := rt.RoundTrip(req)
	if err != nil || resp.StatusCode != 503 {
		t.Fatal(resp, err)
	}
	for i, b := range bodies {
		if b.closes() != 1 {
			t.Errorf("body %d of %d was closed %d times", i+1, len(bodies), b.closes())
		}
	}
	if len(bodies) != 3 {
		t.Errorf("%d bodies of three attempts", len(bodies))
	}
}

// Trap 27: an attempt is judged at the last byte: one that begins well and breaks
// off is held against its instance, and never tried again.
func TestTrap27JudgedAtTheLastByte(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "begun")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	orders := newServiceWith(t, []transport.Option{pressed(time.Hour, 503)}, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	resp, err := client.Get("mesh://orders/")
	if err != nil {
		t.Fatal(err)
	}
	if n := orders.attempts(); n["success"]+n["lost"] != 0 {
		t.Errorf("attempts by outcome before the end: %v", n)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the body ended with %v", err)
	}
	resp.Body.Close()
	if n := orders.attempts(); n["success"] != 0 || n["lost"] != 1 || s.executions.Load() != 1 {
		t.Errorf("attempts by outcome %v, %d executions", n, s.executions.Load())
	}
	fetched := s.connections.Load()
	if resp, err := client.Get("mesh://orders/"); err == nil {
		resp.Body.Close()
	}
	if s.connections.Load() == fetched {
		t.Error("the broken connection was used again")
	}
}

// H15: what is left when the attempts, or the means, are exhausted is the last
// answer, untouched.
func TestH15LastAnswerIsHandedOut(t *testing.T) {
	spent, err := retry.NewBudget(retry.BudgetConfig{Ratio: 1e-9, MinPerSecond: 1e-9})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		option     []transport.Option
		timeout    time.Duration
		executions int64
	}{
		{"AttemptsExhausted", []transport.Option{retrying(503)}, 0, 3},
		{"BudgetSpent", []transport.Option{retrying(503), transport.WithSharedBudget(spent)}, 0, 1},
		{"NoTimeLeft", []transport.Option{transport.WithRetry(retry.Policy{Codes: []int{503}, Backoff: retry.BackoffConfig{BaseInterval: time.Second, MaxInterval: time.Second}, MaxAttempts: 2})}, time.Hour, 1},
		{"ServerWantsToBeLeftAlone", []transport.Option{retrying(503)}, 0, 1},
	} {
		for _, w := range wires(t) {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				var n atomic.Int64
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Attempt", fmt.Sprint(n.Add(1)))
					w.Header().Set("Trailer", "Checksum")
					switch c.name {
					case "NoTimeLeft":
						w.Header().Set("Retry-After", "30")
					case "ServerWantsToBeLeftAlone":
						w.Header().Set("Retry-After", "86400")
					}
					w.WriteHeader(503)
					io.WriteString(w, strings.Repeat("why ", 30<<10))
					w.Header().Set("Checksum", "42")
				}, w.server)
				orders := newServiceWith(t, c.option, s.addr())
				client, _ := orders.client(t, w.client, nil)
				ctx := t.Context()
				if c.name == "NoTimeLeft" {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 20*time.Second)
					defer cancel()
				}
				req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if resp.StatusCode != 503 || string(body) != strings.Repeat("why ", 30<<10) || err != nil {
					t.Errorf("got %d and %d bytes, %v", resp.StatusCode, len(body), err)
				}
				if resp.Header.Get("Attempt") != fmt.Sprint(c.executions) || s.executions.Load() != c.executions || resp.Trailer.Get("Checksum") != "42" {
					t.Errorf("it is answer %s of %d, with trailer %v", resp.Header.Get("Attempt"), s.executions.Load(), resp.Trailer)
				}
			})
		}
	}
}

// Row 24: the time of an attempt ends with the beginning of its answer: a body that
// trickles is legal as long as the call has time.
func TestRow24TrickleSurvivesTheAttempt(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			const parts, pause = 6, 100 * time.Millisecond
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				for range parts {
					io.WriteString(w, "drop")
					http.NewResponseController(w).Flush()
					select {
					case <-time.After(pause):
					case <-r.Context().Done():
						return
					}
				}
			}, w.server)
			orders := newServiceWith(t, []transport.Option{pressed(250 * time.Millisecond)}, s.addr())
			client, _ := orders.client(t, w.client, nil)
			if _, body := fetch(t, client, "GET", "mesh://orders/", ""); body != strings.Repeat("drop", parts) {
				t.Errorf("the body is %q", body)
			}
			if n := orders.attempts(); n["success"] != 1 {
				t.Errorf("attempts by outcome %v", n)
			}
		})
	}
}

// An instance that hangs costs the time of an attempt, and the call goes elsewhere.
func TestAttemptTimeout(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			hung := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, w.server)
			well := serve(t, say("hello"), w.server)
			orders := newServiceWith(t, []transport.Option{pressed(100 * time.Millisecond)}, hung.addr(), well.addr())
			client, _ := orders.client(t, w.client, nil)
			for range 2 {
				if _, body := fetch(t, client, "GET", "mesh://orders/", ""); body != "hello" {
					t.Errorf("the answer is %q", body)
				}
			}
			until(t, "nothing is in flight", func() bool { return orders.outstanding() == 0 })
			if n := orders.attempts(); n["success"] != 2 || n["timeout"] < 1 {
				t.Errorf("attempts by outcome %v", n)
			}
		})
	}
}

// An answer that begins when the time of its attempt is up has come too late: its
// body is closed, and the attempt is a timeout.
func TestAnswerBeganTooLate(t *testing.T) {
	var bodies []*tracked
	orders := newServiceWith(t, []transport.Option{pressed(20 * time.Millisecond)}, "127.0.0.1:1", "127.0.0.1:2")
	client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done() // and does not care
		bodies = append(bodies, newTracked("late"))
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: bodies[len(bodies)-1], ContentLength: 4}, nil
	}))
	_, err := client.Get("mesh://orders/")
	e, ok := errors.AsType[*transport.Error](err)
	if !ok || e.Class != transport.Timeout || e.Attempts != 3 || !e.MaybeExecuted || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended with %v", err)
	}
	for n, b := range bodies {
		if b.closes() != 1 {
			t.Errorf("the body of attempt %d was closed %d times", n+1, b.closes())
		}
	}
	if n := orders.outstanding(); n != 0 || len(bodies) != 3 {
		t.Errorf("%d in flight after %d attempts", n, len(bodies))
	}
}

// A server that says when to come again is not asked before.
func TestRetryAfterIsObeyed(t *testing.T) {
	var times []time.Time
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if times = append(times, time.Now()); len(times) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
		}
	})
	orders := newServiceWith(t, []transport.Option{retrying(503)}, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	if resp, _ := fetch(t, client, "GET", "mesh://orders/", ""); resp.StatusCode != 200 || len(times) != 2 {
		t.Fatalf("the answer is %s after %d attempts", resp.Status, len(times))
	}
	if waited := times[1].Sub(times[0]); waited < time.Second {
		t.Errorf("the server that wanted a second was asked again after %v", waited)
	}
}

// From the second attempt on the server is told, and the caller's header is not
// written to.
func TestAttemptHeader(t *testing.T) {
	var seen []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, strings.Join(r.Header.Values(fairhttp.Attempt), ","))
		w.WriteHeader(503)
	})
	orders := newServiceWith(t, []transport.Option{retrying(503)}, s.addr())
	_, rt := orders.client(t, fairhttp.Config{}, nil)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
	req.Header.Set("X-Own", "1")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if want := []string{"", "2", "3"}; !slices.Equal(seen, want) || len(req.Header) != 1 {
		t.Errorf("the attempts were marked %q, want %q; the caller's header is %v", seen, want, req.Header)
	}
}

// H8, H9: an upgrade has no attempt timeout, is not hedged, and is never sent twice,
// whatever the rules call idempotent.
func TestH8H9UpgradesAreLeftAlone(t *testing.T) {
	p := policy(rule.Route{Name: "all"})
	p.Spec.Idempotent = new(true)
	request := func(t *testing.T) *http.Request {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		return req
	}
	options := []transport.Option{pressed(50*time.Millisecond, 503), transport.WithHedge(retry.HedgeConfig{Delay: time.Millisecond, MaxExtra: 1})}
	t.Run("Lasting", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(150 * time.Millisecond) // longer than an attempt
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			rw.Flush()
			time.Sleep(150 * time.Millisecond)
			line, _ := rw.ReadString('\n')
			io.WriteString(conn, line)
		})
		orders := ruled(t, p, []*server{s}, options...)
		client, _ := orders.client(t, fairhttp.Config{ReadIdleTimeout: 20 * time.Millisecond}, nil)
		resp, err := client.Do(request(t))
		if err != nil {
			t.Fatal(err)
		}
		conn, ok := resp.Body.(io.ReadWriteCloser)
		if !ok || resp.StatusCode != 101 {
			t.Fatalf("got %s and a body of type %T", resp.Status, resp.Body)
		}
		io.WriteString(conn, "two sheep\n")
		if echo, err := io.ReadAll(conn); string(echo) != "two sheep\n" || err != nil {
			t.Errorf("echoed %q: %v", echo, err)
		}
		conn.Close()
		if n := s.executions.Load(); n != 1 || orders.outstanding() != 0 {
			t.Errorf("%d executions, %d in flight", n, orders.outstanding())
		}
	})
	for name, h := range map[string]http.HandlerFunc{"Lost": abort, "Refused": answering(503, 10)} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, h)
			orders := ruled(t, p, []*server{s}, options...)
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			if resp, err := client.Do(request(t)); err == nil {
				resp.Body.Close()
			}
			if n := s.executions.Load(); n != 1 {
				t.Errorf("%d executions of an upgrade", n)
			}
		})
	}
}
