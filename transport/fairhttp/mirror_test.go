package fairhttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// mirroring is a policy whose calls go to v1 and are all copied to v2.
func mirroring() rule.Policy {
	all := to("v1")
	all.Mirror = &rule.Mirror{Subset: "v2", Percent: 100_00}
	return policy(all)
}

// received is what a server saw of a request.
type received struct {
	method, url, body string
	header            http.Header
}

// receiving starts a server that tells what it received.
func receiving(t testing.TB, tune ...func(*server)) (*server, <-chan received) {
	all := make(chan received, 100)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		all <- received{r.Method, r.URL.String(), string(body), r.Header}
	}, tune...), all
}

// copies waits until n copies were sent.
func (s *service) copies(t testing.TB, n int64) {
	t.Helper()
	until(t, fmt.Sprint(n, " copies were sent"), func() bool { return s.rules().Mirrored == n })
}

// A copy is the request once more, but marked, and the first to be refused.
func TestMirrorCopies(t *testing.T) {
	for _, w := range wires(t) {
		for _, c := range []struct{ name, method, body string }{{"Get", "GET", ""}, {"Post", "POST", "two sheep"}, {"Largest", "PUT", strings.Repeat("x", 64<<10)}} {
			t.Run(w.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				first, calls := receiving(t, w.server)
				second, copies := receiving(t, w.server)
				orders := ruled(t, mirroring(), []*server{first, second})
				client, _ := orders.client(t, w.client, nil)
				req, _ := http.NewRequestWithContext(carrying(t, "lane=blue"), c.method, "mesh://orders/a/b?c=d", strings.NewReader(c.body))
				req.Header.Set("X-Tier", "gold")
				send(t, client, req)
				call, copied := <-calls, <-copies
				if mark := copied.header.Get(fairhttp.Mirrored); mark != "true" || call.header.Get(fairhttp.Mirrored) != "" || req.Header.Get(fairhttp.Mirrored) != "" {
					t.Errorf("the copy is marked %q, the call %v", mark, call.header)
				}
				if p := copied.header.Get(fairhttp.Priority); p != "sheddable" {
					t.Errorf("the copy is of priority %q", p)
				}
				copied.header.Del(fairhttp.Mirrored)
				copied.header.Del(fairhttp.Priority)
				if fmt.Sprint(call) != fmt.Sprint(copied) || copied.body != c.body || copied.header.Get("X-Tier") != "gold" || copied.header.Get("Baggage") != "lane=blue" {
					t.Errorf("the call is %.200v, its copy %.200v", call, copied)
				}
				orders.copies(t, 1)
			})
		}
	}
}

// A request without a header map is copied as well.
func TestMirrorOfARequestWithoutHeaders(t *testing.T) {
	first, _ := receiving(t)
	second, copies := receiving(t)
	orders := ruled(t, mirroring(), []*server{first, second})
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	send(t, client, (&http.Request{URL: &url.URL{Scheme: "mesh", Host: "orders"}}).WithContext(carrying(t, "lane=blue")))
	if c := <-copies; c.method != "GET" || c.header.Get(fairhttp.Mirrored) != "true" || c.header.Get("Baggage") != "lane=blue" {
		t.Errorf("the copy is %v", c)
	}
}

// A body is copied up to 64 KiB, and where it can be read twice.
func TestMirrorOfBodies(t *testing.T) {
	big := strings.Repeat("x", 64<<10+1)
	for _, c := range []struct {
		name, body string
		length     int64 // that the request states
		replayable bool
		copied     bool
	}{
		{"Large", big, int64(len(big)), true, false},
		{"LargeOfUnknownLength", big, 0, true, false},
		{"LargeInChunks", big, -1, true, false},
		{"SmallOfUnknownLength", "two sheep", 0, true, true},
		{"SmallInChunks", "two sheep", -1, true, true},
		{"ReadOnce", "two sheep", 9, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, calls := receiving(t)
			second, copies := receiving(t)
			orders := ruled(t, mirroring(), []*server{first, second})
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			again := newTracked(c.body)
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", newTracked(c.body))
			if req.ContentLength = c.length; c.replayable {
				req.GetBody = func() (io.ReadCloser, error) { return again, nil }
			}
			send(t, client, req)
			if got := <-calls; got.body != c.body {
				t.Errorf("the call has a body of %d bytes", len(got.body))
			}
			if c.copied {
				if got := <-copies; got.body != c.body {
					t.Errorf("the copy has body %q", got.body)
				}
				orders.copies(t, 1)
			}
			if dropped := orders.rules().Unmirrored; (dropped == 0) != c.copied || (second.executions.Load() > 0) != c.copied {
				t.Errorf("%d copies are shown as dropped, %d arrived", dropped, second.executions.Load())
			}
			if c.copied && again.closes() != 1 {
				t.Errorf("the body of the copy was closed %d times", again.closes())
			}
		})
	}
}

// Once its call has ended, a request is the application's again.
func TestMirrorSharesNothingWithItsCall(t *testing.T) {
	first, _ := receiving(t)
	second, copies := receiving(t)
	orders := ruled(t, mirroring(), []*server{first, second})
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	buffer := new(bytes.Buffer)
	const calls = 50
	for n := range calls {
		text := strings.Repeat(string(rune('a'+n%26)), 10<<10)
		buffer.Reset()
		buffer.WriteString(text)
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/"+text[:1], buffer)
		req.Header.Set("X-Tier", text[:1])
		send(t, client, req)
		req.Header.Set("X-Tier", "spoiled")
		req.URL.Path = "/spoiled"
		buffer.Reset()
		buffer.WriteString(strings.Repeat("?", 10<<10))
	}
	orders.copies(t, calls)
	for range calls {
		c := <-copies
		letter := c.header.Get("X-Tier")
		if c.url != "/"+letter || c.body != strings.Repeat(letter, 10<<10) {
			t.Errorf("a copy is %.80v", c)
		}
	}
}

// The trace that a caller put into its context is of its call, and is not
// written to later.
func TestMirrorIsNotTracedForTheCaller(t *testing.T) {
	first, _ := receiving(t)
	second, copies := receiving(t)
	orders := ruled(t, mirroring(), []*server{first, second})
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	var asked atomic.Int64
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GetConn:      func(string) { asked.Add(1) },
		ConnectStart: func(string, string) { asked.Add(1) },
	})
	req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
	send(t, client, req)
	<-copies
	orders.copies(t, 1)
	if n := asked.Load(); n != 2 {
		t.Errorf("the caller's hooks were called %d times, by its call twice", n)
	}
}

// What is answered to a copy is read, so that the connection is used again, and
// cut where it has no end.
func TestMirrorAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		kept   bool // its connection
	}{
		{"Empty", func(http.ResponseWriter) {}, true},
		{"Small", func(w http.ResponseWriter) { io.WriteString(w, strings.Repeat("x", 100<<10)) }, true},
		{"Failure", func(w http.ResponseWriter) { http.Error(w, "no", 500) }, true},
		{"Endless", func(w http.ResponseWriter) {
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 100<<10)); err != nil {
					return
				}
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := serve(t, func(w http.ResponseWriter, _ *http.Request) { c.answer(w) })
			orders := ruled(t, mirroring(), []*server{serve(t, say("v1")), second})
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			for n := range 4 {
				if _, got := fetch(t, client, "GET", "mesh://orders/", ""); got != "v1" {
					t.Errorf("the call is answered by %q", got)
				}
				orders.copies(t, int64(n+1))
			}
			if n := second.connections.Load(); (n == 1) != c.kept {
				t.Errorf("%d connections for copies one after the other", n)
			}
			until(t, "nothing is in flight", func() bool { return orders.outstanding() == 0 })
		})
	}
}

// Whatever becomes of the copy, the call is as it would be without.
func TestMirrorChangesNothingForTheCall(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*server)
		serve http.HandlerFunc
	}{
		{"Hung", nil, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // a server sees only then that a client has left
			<-r.Context().Done()
		}},
		{"Broken", nil, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"Down", func(s *server) { s.Listener.Close() }, say("v2")},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := serve(t, c.serve)
			orders := ruled(t, mirroring(), []*server{serve(t, say("v1")), second})
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			if c.spoil != nil {
				c.spoil(second)
			}
			for range 20 {
				if _, got := fetch(t, client, "POST", "mesh://orders/", "two sheep"); got != "v1" {
					t.Errorf("the call is answered by %q", got)
				}
			}
			if n := orders.mesh.Dump().Services[0].Retries; n != 0 {
				t.Errorf("%d retries", n)
			}
			// Close ends what is on its way, and TestMain sees what is left.
			if err := orders.mesh.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The end of a call, be it for the client's own timeout, is not that of its
// copy.
func TestMirrorOutlivesTheClientsTimeout(t *testing.T) {
	over := make(chan struct{})
	first := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	second := serve(t, func(http.ResponseWriter, *http.Request) { <-over })
	orders := ruled(t, mirroring(), []*server{first, second})
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	client.Timeout = 500 * time.Millisecond
	if _, err := client.Get("mesh://orders/"); err == nil {
		t.Error("the call did not end")
	}
	close(over)
	orders.copies(t, 1)
	if n := orders.attempts()["success"]; n != 1 {
		t.Errorf("attempts ended with %v", orders.attempts())
	}
}
