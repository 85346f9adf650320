package fairhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Trap 27: a call is in flight from the pick to the last byte of its answer,
// and ends once, however it ends.
func TestTrap27InFlightUntilTheLastByte(t *testing.T) {
	for _, w := range wires(t) {
		for _, c := range []struct {
			name    string
			method  string
			length  string // Content-Length, if the server says one
			end     func(t *testing.T, s *server, resp *http.Response, cancel context.CancelFunc)
			outcome string
		}{
			{"read to the end", "GET", "", func(t *testing.T, _ *server, resp *http.Response, _ context.CancelFunc) {
				io.Copy(io.Discard, resp.Body)
			}, "success"},
			{"closed early", "GET", "", func(t *testing.T, _ *server, resp *http.Response, _ context.CancelFunc) {
				resp.Body.Close()
			}, "success"},
			{"a stream abandoned, and its context ended", "GET", "", func(t *testing.T, _ *server, _ *http.Response, cancel context.CancelFunc) {
				cancel()
			}, "neutral"},
			{"cancelled while it is read", "GET", "1000", func(t *testing.T, _ *server, resp *http.Response, cancel context.CancelFunc) {
				cancel()
				io.Copy(io.Discard, resp.Body)
			}, "neutral"},
			{"the server dies in the middle", "GET", "1000", func(t *testing.T, s *server, resp *http.Response, _ context.CancelFunc) {
				s.Config.Close()
				if _, err := io.Copy(io.Discard, resp.Body); err == nil {
					t.Error("the body of a dead server has an end")
				}
			}, "lost"},
		} {
			t.Run(w.name+" "+c.name, func(t *testing.T) {
				goOn := make(chan struct{})
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if c.length != "" {
						w.Header().Set("Content-Length", c.length)
					}
					w.WriteHeader(200)
					io.WriteString(w, "begin")
					w.(http.Flusher).Flush()
					select {
					case <-goOn:
					case <-r.Context().Done():
					}
				}, w.server)
				orders := newService(t, s.addr())
				client, _ := orders.client(t, w.client, nil)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				req, _ := http.NewRequestWithContext(ctx, c.method, "mesh://orders/", nil)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if n := orders.outstanding(); n != 1 {
					t.Errorf("%d calls in flight after the headers, want 1", n)
				}
				if c.length == "" {
					close(goOn)
				}
				c.end(t, s, resp, cancel)
				until(t, "the call is no longer in flight", func() bool { return orders.outstanding() == 0 })
				resp.Body.Close()
				resp.Body.Close() // nothing ends twice
				if n := orders.attempts(); n[c.outcome] != 1 {
					t.Errorf("attempts by outcome %v, want one %s", n, c.outcome)
				}
				if n := orders.outstanding(); n != 0 {
					t.Errorf("%d calls in flight after all", n)
				}
			})
		}
	}
}

// A Read that fails because the caller closed the body is held against nobody.
func TestTrap27CloseWhileReading(t *testing.T) {
	body := &blockingBody{reading: make(chan struct{}), closed: make(chan struct{}), read: make(chan struct{})}
	orders := newService(t, "127.0.0.1:1")
	client, _ := orders.client(t, fairhttp.Config{}, base(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body, ContentLength: 1000, Header: http.Header{}}, nil
	}))
	resp, err := client.Get("mesh://orders/")
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with Close
		defer close(body.read)
		resp.Body.Read(make([]byte, 1))
	}()
	<-body.reading
	resp.Body.Close()
	if n := orders.attempts(); n["success"] != 1 || n["lost"] != 0 {
		t.Errorf("attempts by outcome %v, want one success", n)
	}
}

// An answer without a body is over at once, whether or not its body is closed.
func TestAnswersWithoutBodyEndAtOnce(t *testing.T) {
	for _, w := range wires(t) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "DELETE" {
				w.WriteHeader(204)
			}
			if r.Method == "HEAD" {
				w.Header().Set("Content-Length", "1000")
			}
		}, w.server)
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			t.Run(w.name+" "+method, func(t *testing.T) {
				orders := newService(t, s.addr())
				_, rt := orders.client(t, w.client, nil)
				req, _ := http.NewRequestWithContext(t.Context(), method, "mesh://orders/", nil)
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if n := orders.outstanding(); n != 0 || orders.attempts()["success"] != 1 {
					t.Errorf("%d calls in flight, attempts by outcome %v", n, orders.attempts())
				}
				resp.Body.Close()
			})
		}
	}
}

// The length of an answer that lasts as long as the application pleases says
// nothing of the instance.
func TestStreamsAreNotTakenForLatency(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	for _, c := range []struct{ name, header, value string }{{"server-sent events", "Accept", "text/event-stream"}} {
		t.Run(c.name, func(t *testing.T) {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
			req.Header.Set(c.header, c.value)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			stats := orders.mesh.Dump().Services[0].Instances[0].Stats
			if stats.Outstanding != 1 || stats.Oldest != 0 {
				t.Errorf("stats %+v: a stream is outstanding, and its age is not counted", stats)
			}
		})
	}
}

// Trap 16: nothing waits on a call's context once the call is over, and no
// call leaves a goroutine, however long its context lives.
func TestTrap16NothingIsLeftOfACall(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "chunk")
		w.(http.Flusher).Flush()
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	ctx := &countingContext{Context: t.Context(), done: make(chan struct{})}
	call := func() {
		req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	call()
	before := runtime.NumGoroutine()
	for range 200 {
		call()
	}
	until(t, "no goroutine of a call is left", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// countingContext is a context of a type that package context does not know,
// so that whoever derives from it needs a goroutine to wait for it.
type countingContext struct {
	context.Context
	done chan struct{}
}

func (c *countingContext) Done() <-chan struct{} { return c.done }

// H20, and trap 21 for this door: the caller's own end is recognisable in the
// error, in every form, and is held against no instance unless time ran out.
func TestH20ContextErrors(t *testing.T) {
	boom := errors.New("shutting down")
	for _, w := range wires(t) {
		for _, c := range []struct {
			name    string
			context func(context.Context) (ctx context.Context, end func())
			client  time.Duration // http.Client.Timeout
			want    error
			outcome string
		}{
			{name: "cancelled", context: func(ctx context.Context) (context.Context, func()) {
				ctx, cancel := context.WithCancel(ctx)
				return ctx, cancel
			}, want: context.Canceled, outcome: "neutral"},
			{name: "cancelled with a cause", context: func(ctx context.Context) (context.Context, func()) {
				ctx, cancel := context.WithCancelCause(ctx)
				return ctx, func() { cancel(boom) }
			}, want: boom, outcome: "neutral"},
			{name: "past its deadline", context: func(ctx context.Context) (context.Context, func()) {
				ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
				_ = cancel // ends by itself
				return ctx, func() {}
			}, want: context.DeadlineExceeded, outcome: "timeout"},
			{name: "past http.Client.Timeout", context: func(ctx context.Context) (context.Context, func()) {
				return ctx, func() {}
			}, client: 2 * time.Second, want: context.DeadlineExceeded, outcome: "timeout"},
		} {
			t.Run(w.name+" "+c.name, func(t *testing.T) {
				t.Parallel()
				executing := make(chan struct{}, 8)
				h := func(_ http.ResponseWriter, r *http.Request) {
					executing <- struct{}{}
					<-r.Context().Done()
					panic(http.ErrAbortHandler) // no answer, not even a late one
				}
				a, b := serve(t, h, w.server), serve(t, h, w.server)
				orders := newService(t, a.addr(), b.addr())
				client, _ := orders.client(t, w.client, nil)
				client.Timeout = c.client
				ctx, end := c.context(t.Context())
				go func() { // ends with the handler's first word
					<-executing
					end()
				}()
				req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
				_, err := client.Do(req)
				// net/http's HTTP/2 does not tell the cause.
				if !errors.Is(err, c.want) && !(w.proto == "HTTP/2.0" && c.want == boom && errors.Is(err, context.Canceled)) {
					t.Errorf("error %v, want one that is %v", err, c.want)
				}
				until(t, "the attempt is over", func() bool { return orders.outstanding() == 0 })
				if n := orders.attempts(); n[c.outcome] != 1 || n["lost"] != 0 {
					t.Errorf("attempts by outcome %v, want one %s", n, c.outcome)
				}
				if n := a.executions.Load() + b.executions.Load(); n != 1 {
					t.Errorf("%d executions: what the caller ended was tried again", n)
				}
			})
		}
	}
}

// Trap 17: whatever there is to wait for, the caller's context ends it: here
// the first list of the service.
func TestTrap17WaitingEndsWithTheContext(t *testing.T) {
	mesh, err := transport.New(silent{}, transport.WithLogger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close(context.Background()) })
	rt := fairhttp.New(mesh, nil)
	t.Cleanup(func() { rt.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	body := newTracked("payload")
	req, _ := http.NewRequestWithContext(ctx, "POST", "mesh://orders/", body)
	began := time.Now()
	_, err = rt.RoundTrip(req)
	if e, ok := errors.AsType[*transport.Error](err); !ok || e.Stage != transport.StageList || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want one of stage list about the deadline", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it waited %v beyond a deadline of 50 ms", took)
	}
	if body.closes() != 1 {
		t.Error("the request body was not closed")
	}
}
