package fairhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// H1: a response or an error, never both and never neither, whatever the base
// does.
func TestH1ResponseOrError(t *testing.T) {
	failure := errors.New("no luck")
	for _, c := range []struct {
		name     string
		response bool
		err      error
		wantErr  string
	}{
		{"a response", true, nil, ""},
		{"an error", false, failure, "no luck"},
		{"a base that returns both", true, failure, "no luck"},
		{"a base that returns neither", false, nil, "neither a response nor an error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := newTracked("body")
			orders := newService(t, "127.0.0.1:1")
			_, rt := orders.client(t, fairhttp.Config{}, base(func(*http.Request) (*http.Response, error) {
				if c.response {
					return &http.Response{StatusCode: 200, Body: body, ContentLength: 4, Header: http.Header{}}, c.err
				}
				return nil, c.err
			}))
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", nil)
			resp, err := rt.RoundTrip(req)
			if (resp == nil) == (err == nil) {
				t.Fatalf("got response %v and error %v", resp, err)
			}
			if resp != nil {
				resp.Body.Close()
			} else if !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("error %v, want %q in it", err, c.wantErr)
			}
			if c.response && body.closes() != 1 {
				t.Errorf("the response body was closed %d times, want 1", body.closes())
			}
			if n := orders.outstanding(); n != 0 {
				t.Errorf("%d calls still in flight", n)
			}
		})
	}
}

// H2, trap 15: the caller's request is not written to, neither for the
// instance's address nor between attempts; the base gets a request and a URL of
// its own.
func TestH2CallersRequestIsNotWrittenTo(t *testing.T) {
	s := serve(t, say("hello"))
	orders := newService(t, refusing(t), s.addr())
	var requests []*http.Request
	_, rt := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
		requests = append(requests, r)
		return http.DefaultTransport.RoundTrip(r)
	}))
	for range 2 { // either of the two instances comes first once
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/path?q=1", strings.NewReader("payload"))
		req.Header.Set("X-Own", "1")
		before, url, header := *req, *req.URL, req.Header.Clone()
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if req.URL != before.URL || *req.URL != url {
			t.Errorf("URL became %v", req.URL)
		}
		if !reflect.DeepEqual(req.Header, header) {
			t.Errorf("header became %v", req.Header)
		}
		if req.Body != before.Body || req.Host != before.Host || req.ContentLength != before.ContentLength || req.Context() != before.Context() {
			t.Error("Body, Host, ContentLength or context changed")
		}
		for _, r := range requests {
			if r == req || r.URL == req.URL {
				t.Error("the base got the caller's own request or URL")
			}
		}
	}
	if len(requests) < 3 {
		t.Errorf("%d attempts were made, the test wants a retry among them", len(requests))
	}
}

// H3: the request body is closed exactly once on every path.
func TestH3RequestBodyIsClosed(t *testing.T) {
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	failing := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name  string
		addrs []string
		url   string
		tune  func(*http.Request) *http.Request
		base  http.RoundTripper
	}{
		{name: "answered", addrs: []string{echo.addr()}},
		{name: "answered over a shared base", addrs: []string{echo.addr()}, base: wrapped{http.DefaultTransport}},
		{name: "answered with a status of 500 and not read", addrs: []string{failing.addr()}},
		{name: "refused by everybody", addrs: []string{refusing(t), refusing(t)}},
		{name: "refused by everybody over a shared base", addrs: []string{refusing(t), refusing(t)}, base: wrapped{http.DefaultTransport}},
		{name: "refused by the first", addrs: []string{refusing(t), echo.addr()}},
		{name: "no instances"},
		{name: "a bad service name", url: "mesh://Orders/"},
		{name: "a port", url: "mesh://orders:80/"},
		{name: "a done context", addrs: []string{echo.addr()}, tune: func(r *http.Request) *http.Request { return r.WithContext(canceled) }},
		{name: "a malformed header", addrs: []string{echo.addr()}, tune: func(r *http.Request) *http.Request {
			r.Header["Bad Name"] = []string{"x"}
			return r
		}},
		{name: "a base that ignores the body and fails", addrs: []string{echo.addr()}, base: base(func(r *http.Request) (*http.Response, error) {
			r.Body.Close()
			return nil, errors.New("no")
		})},
	} {
		for _, getBody := range []bool{true, false} {
			name := c.name + ", one body"
			if getBody {
				name = c.name + ", GetBody"
			}
			t.Run(name, func(t *testing.T) {
				orders := newService(t, c.addrs...)
				_, rt := orders.client(t, fairhttp.Config{}, c.base)
				bodies := []*tracked{newTracked("payload")}
				url := c.url
				if url == "" {
					url = "mesh://orders/"
				}
				req, _ := http.NewRequestWithContext(t.Context(), "PUT", url, bodies[0])
				req.ContentLength = int64(len("payload"))
				if getBody {
					req.GetBody = func() (io.ReadCloser, error) {
						bodies = append(bodies, newTracked("payload"))
						return bodies[len(bodies)-1], nil
					}
				}
				if c.tune != nil {
					req = c.tune(req)
				}
				resp, err := rt.RoundTrip(req)
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				for i, b := range bodies {
					until(t, "the body is closed", func() bool { return b.closes() > 0 })
					if b.closes() != 1 {
						t.Errorf("body %d of %d was closed %d times, want once", i+1, len(bodies), b.closes())
					}
				}
			})
		}
	}
}

// H3: a GetBody that fails ends the call with its error.
func TestH3GetBodyFails(t *testing.T) {
	orders := newService(t, refusing(t), refusing(t))
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	gone := errors.New("the file is gone")
	body := newTracked("payload")
	req, _ := http.NewRequestWithContext(t.Context(), "PUT", "mesh://orders/", body)
	req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
	if _, err := client.Do(req); !errors.Is(err, gone) {
		t.Errorf("error %v, want %v", err, gone)
	}
	if body.closes() == 0 {
		t.Error("the body was not closed")
	}
}

// H4: the first attempt sends the caller's own body; others send copies, each
// after the last one was closed, also where a base closes late.
func TestH4ReplayThroughGetBody(t *testing.T) {
	for _, c := range []struct {
		name string
		base http.RoundTripper
	}{
		{"own connections", nil},
		{"a shared base", wrapped{http.DefaultTransport}},
		{"a shared base that leaves bodies to a goroutine", base(func(r *http.Request) (*http.Response, error) {
			late := r.Body
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(late)
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil {
				late.Close()
			}
			return resp, err // on an error the body stays open
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
			orders := newService(t, refusing(t), refusing(t), s.addr())
			client, _ := orders.client(t, fairhttp.Config{}, c.base)
			for range 3 { // the one that answers has its turn as first, second and third
				bodies := []*tracked{newTracked("payload")}
				req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", bodies[0])
				req.ContentLength = int64(len("payload"))
				req.GetBody = func() (io.ReadCloser, error) {
					if last := bodies[len(bodies)-1]; last.closes() == 0 {
						t.Errorf("body %d is still open while another one is made", len(bodies))
					}
					bodies = append(bodies, newTracked("payload"))
					return bodies[len(bodies)-1], nil
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(got) != "payload" {
					t.Errorf("the server got %q after %d bodies", got, len(bodies))
				}
			}
			if n := s.executions.Load(); n != 3 {
				t.Errorf("%d executions of 3 calls", n)
			}
		})
	}
}

// H4, trap 19: a body that exists once goes into another attempt as long as
// nothing of it was read, and never after.
func TestTrap19OneBody(t *testing.T) {
	t.Run("untouched, it is sent elsewhere", func(t *testing.T) {
		for _, b := range []http.RoundTripper{nil, wrapped{http.DefaultTransport}} {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
			orders := newService(t, refusing(t), s.addr())
			client, _ := orders.client(t, fairhttp.Config{}, b)
			for range 2 {
				body := newTracked("payload")
				req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", body)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(got) != "payload" || body.after.Load() != 0 {
					t.Errorf("the server got %q, %d reads came after Close", got, body.after.Load())
				}
			}
		}
	})
	t.Run("read by a base that then fails, it is not", func(t *testing.T) {
		orders := newService(t, "127.0.0.1:1", "127.0.0.1:2")
		attempts := 0
		client, _ := orders.client(t, fairhttp.Config{}, base(func(r *http.Request) (*http.Response, error) {
			attempts++
			io.CopyN(io.Discard, r.Body, 3)
			return nil, errors.New("broke off") // and will close it some time later
		}))
		ctx := transport.WithCall(t.Context(), transport.Idempotent(true)) // the body is what forbids it
		req, _ := http.NewRequestWithContext(ctx, "PUT", "mesh://orders/", newTracked("payload"))
		_, err := client.Do(req)
		if attempts != 1 || err == nil {
			t.Errorf("%d attempts with half a body, error %v; want 1 and an error", attempts, err)
		}
	})
	t.Run("sent to a server that dies, it is not", func(t *testing.T) {
		a, b := serve(t, abort), serve(t, abort)
		orders := newService(t, a.addr(), b.addr())
		client, _ := orders.client(t, fairhttp.Config{}, nil)
		ctx := transport.WithCall(t.Context(), transport.Idempotent(true))
		req, _ := http.NewRequestWithContext(ctx, "PUT", "mesh://orders/", newTracked("payload"))
		_, err := client.Do(req)
		if n := a.executions.Load() + b.executions.Load(); n != 1 || err == nil {
			t.Errorf("%d executions, error %v; want 1 and an error", n, err)
		}
	})
}

// abort executes and drops the connection.
func abort(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

// Trap 18: resp.Request is the request the caller made, when it comes back and
// long after.
func TestTrap18ResponseKeepsTheCallersRequest(t *testing.T) {
	s := serve(t, say("hello"))
	orders := newService(t, refusing(t), s.addr())
	_, rt := orders.client(t, fairhttp.Config{}, nil)
	var kept []*http.Response
	var want []*http.Request
	for range 10 {
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
		if resp.Request != want[i] || resp.Request.URL.String() != "mesh://orders/" {
			t.Errorf("response %d belongs to %p %v, want %p", i, resp.Request, resp.Request.URL, want[i])
		}
	}
}

// The caller's own trace goes on working, on every attempt.
func TestCallersTraceSeesAllAttempts(t *testing.T) {
	s := serve(t, say("hello"))
	orders := newService(t, refusing(t), s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	for range 2 {
		asked := map[string]bool{}
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GetConn: func(addr string) { asked[addr] = true }})
		req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if !asked[s.addr()] {
			t.Errorf("the caller's trace saw %v, want %s among them", asked, s.addr())
		}
	}
}

// What no instance could do anything about is told to the caller once, and
// held against nobody.
func TestCallersMistakesAreNeutral(t *testing.T) {
	h := func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }
	a, b := serve(t, h), serve(t, h)
	unreadable := errors.New("disk error")
	for _, c := range []struct {
		name string
		tune func(*http.Request)
		want string
	}{
		{"a malformed header", func(r *http.Request) { r.Header["Bad Name"] = []string{"x"} }, "invalid header field name"},
		{"a malformed method", func(r *http.Request) { r.Method = "GE T" }, "invalid method"},
		{"a body that cannot be read", func(r *http.Request) { r.Body = brokenBody{unreadable} }, unreadable.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			orders := newService(t, a.addr(), b.addr())
			_, rt := orders.client(t, fairhttp.Config{}, nil)
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
			c.tune(req)
			_, err := rt.RoundTrip(req)
			e, ok := errors.AsType[*transport.Error](err)
			if !ok || e.Class != transport.Neutral || e.Attempts != 1 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want a neutral one after one attempt with %q in it", err, c.want)
			}
			if n := orders.attempts(); n["neutral"] != 1 || n["lost"] != 0 {
				t.Errorf("attempts by outcome %v, want one that is neutral", n)
			}
		})
	}
}

func TestMeshURLs(t *testing.T) {
	orders := newService(t, "127.0.0.1:1")
	_, rt := orders.client(t, fairhttp.Config{}, nil)
	for _, c := range []struct{ name, url, want string }{
		{"a port", "mesh://orders:8080/x", `URL.Host "orders:8080" is invalid: allowed is the name of a service without a port`},
		{"upper case", "mesh://Orders/x", `"Orders" is invalid`},
		{"an address", "mesh://10.0.0.7/x", `"10.0.0.7" is invalid`},
		{"an IPv6 address", "mesh://[::1]/x", `is invalid`},
		{"no host", "mesh:///orders/x", "allowed is mesh://service/path"},
		{"no slashes", "mesh:orders", "allowed is mesh://service/path"},
	} {
		for _, rt := range []*fairhttp.Transport{rt, fairhttp.New(orders.mesh, wrapped{http.DefaultTransport})} {
			t.Run(c.name, func(t *testing.T) {
				req, err := http.NewRequestWithContext(t.Context(), "GET", c.url, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, err = rt.RoundTrip(req)
				if e, ok := errors.AsType[*transport.Error](err); !ok || e.Stage != transport.StagePick {
					t.Errorf("error %v, want a *transport.Error of stage pick", err)
				}
				if !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q in it", err, c.want)
				}
			})
		}
	}
}
