package fairhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// bounded is a policy that gives each call some time.
func bounded(d time.Duration) rule.Policy {
	p := policy(rule.Route{Name: "all"})
	p.Spec.Timeout = rule.Duration(d)
	return p
}

const reason = "the rules of orders give it"

// A rule ends a call whose server hangs, before the header and in the middle of
// the body, unless the caller's own time is up first.
func TestRuleTimeout(t *testing.T) {
	for _, c := range []struct {
		name         string
		rule, caller time.Duration
		byRule       bool
	}{
		{"NoneOfTheCaller", 50 * time.Millisecond, 0, true},
		{"LaterOfTheCaller", 50 * time.Millisecond, time.Hour, true},
		{"EarlierOfTheCaller", time.Hour, 50 * time.Millisecond, false},
	} {
		for _, w := range wires(t) {
			for _, begun := range []bool{false, true} {
				t.Run(c.name+"/"+w.name+map[bool]string{false: "/BeforeTheHeader", true: "/InTheBody"}[begun], func(t *testing.T) {
					t.Parallel()
					orders := ruled(t, bounded(c.rule), []*server{serve(t, func(w http.ResponseWriter, r *http.Request) {
						if begun {
							io.WriteString(w, "begun")
							http.NewResponseController(w).Flush()
						}
						<-r.Context().Done()
						panic(http.ErrAbortHandler) // it must not end well just yet
					}, w.server)})
					client, _ := orders.client(t, w.client, nil)
					get := func() (resp *http.Response, err error) {
						ctx := t.Context()
						if c.caller > 0 {
							var cancel context.CancelFunc
							ctx, cancel = context.WithTimeout(ctx, c.caller)
							t.Cleanup(cancel)
						}
						req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
						return client.Do(req)
					}
					resp, err := get()
					if begun {
						for err != nil && t.Context().Err() == nil { // the machine is slow, and the header was
							resp, err = get()
						}
						_, err = io.ReadAll(resp.Body)
						resp.Body.Close()
					} else if e, ok := errors.AsType[*transport.Error](err); !ok || e.Class != transport.Timeout || !e.Timeout() {
						t.Fatalf("the call ended with %v", err)
					}
					if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), reason) != c.byRule {
						t.Errorf("by rule: %t, the error is %v", c.byRule, err)
					}
					until(t, "nothing is in flight", func() bool { return orders.outstanding() == 0 })
				})
			}
		}
	}
}

// How long a stream lasts is not a rule's to say.
func TestRuleTimeoutLeavesStreamsAlone(t *testing.T) {
	orders := ruled(t, bounded(time.Hour), []*server{serve(t, say("data: 1\n\n"))})
	wire := new(http.Transport)
	t.Cleanup(wire.CloseIdleConnections)
	client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
		if _, ok := r.Context().Deadline(); ok {
			t.Error("the stream has a deadline")
		}
		return wire.RoundTrip(r)
	}))
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
	req.Header.Set("Accept", "text/event-stream")
	if got := send(t, client, req); got != "data: 1\n\n" {
		t.Errorf("the stream said %q", got)
	}
}

// However a call ends, what bounded its time ends with it.
func TestRuleTimeoutIsReleased(t *testing.T) {
	for _, c := range []struct {
		name, method string
		answer       func(*http.Request) (*http.Response, error) // nil: of a server
		do           func(*http.Response)
	}{
		{name: "Read", method: "GET", do: func(r *http.Response) { io.ReadAll(r.Body) }},
		{name: "ReadAndClosed", method: "GET", do: func(r *http.Response) { io.ReadAll(r.Body); r.Body.Close() }},
		{name: "ClosedEarly", method: "GET", do: func(r *http.Response) { r.Body.Close() }},
		{name: "Head", method: "HEAD"},
		{name: "NoContent", method: "DELETE"},
		{name: "Empty", method: "PUT"},
		{name: "Error", method: "GET", answer: func(*http.Request) (*http.Response, error) { return nil, errors.New("no luck") }},
		{name: "NoBody", method: "GET", answer: func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }},
		{name: "BrokenBody", method: "GET", answer: func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(io.MultiReader(strings.NewReader("a"), failing{}))}, nil
		}, do: func(r *http.Response) { io.ReadAll(r.Body) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case "GET", "HEAD":
					io.WriteString(w, strings.Repeat("x", 100<<10))
				case "DELETE":
					w.WriteHeader(204)
				}
			})
			orders := ruled(t, bounded(time.Hour), []*server{s})
			var saw []context.Context
			wire := new(http.Transport)
			t.Cleanup(wire.CloseIdleConnections)
			client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
				if _, ok := r.Context().Deadline(); !ok {
					t.Error("the rule gives the call no deadline")
				}
				saw = append(saw, r.Context())
				if c.answer != nil {
					return c.answer(r)
				}
				return wire.RoundTrip(r)
			}))
			req, _ := http.NewRequestWithContext(t.Context(), c.method, "mesh://orders/", nil)
			resp, err := client.Do(req)
			if err == nil && c.do != nil {
				if saw[0].Err() != nil {
					t.Error("the context has ended before the body")
				}
				c.do(resp)
			}
			for _, ctx := range saw {
				if !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("the context of an attempt has ended with %v", ctx.Err())
				}
			}
			if len(saw) == 0 || orders.outstanding() != 0 {
				t.Errorf("%d attempts, %d in flight", len(saw), orders.outstanding())
			}
		})
	}
}

// All attempts of a call share its time, and a body that cannot be got again
// goes into the one that reaches a server.
func TestRuleTimeoutSpansAttempts(t *testing.T) {
	first, calls := receiving(t)
	p := bounded(time.Hour)
	p.Spec.Routes[0].Mirror = &rule.Mirror{Subset: "v1", Percent: 100_00}
	orders := ruled(t, p, []*server{first})
	orders.add(t, refusing(t))
	orders.obeys(t, 2)
	wire := new(http.Transport)
	t.Cleanup(wire.CloseIdleConnections)
	var saw []context.Context
	client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
		saw = append(saw, r.Context())
		return wire.RoundTrip(r)
	}))
	for len(saw) < 3 { // they take turns
		saw = nil
		for range 2 {
			body := newTracked("two sheep")
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", body)
			send(t, client, req)
			if got := <-calls; got.body != "two sheep" || body.closes() != 1 {
				t.Errorf("the server saw %q, the body was closed %d times", got.body, body.closes())
			}
		}
	}
	for _, ctx := range saw {
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("the context of an attempt has ended with %v", ctx.Err())
		}
	}
	if n := orders.rules().Mirrored; n != 0 {
		t.Errorf("%d copies were sent of what can be read once", n)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }

// What bounded a call takes no connection with it.
func TestRuleTimeoutKeepsTheConnection(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case "GET":
					io.WriteString(w, strings.Repeat("x", 100<<10))
				case "DELETE":
					w.WriteHeader(204)
				}
			}, w.server)
			orders := ruled(t, bounded(time.Hour), []*server{s})
			client, _ := orders.client(t, w.client, nil)
			for _, method := range []string{"GET", "HEAD", "DELETE", "PUT"} {
				for range 5 {
					fetch(t, client, method, "mesh://orders/", "")
				}
			}
			if n := s.connections.Load(); n != 1 {
				t.Errorf("%d connections for calls one after the other", n)
			}
		})
	}
}
