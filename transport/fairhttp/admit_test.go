package fairhttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// admission returns what decides for a server of the test.
func admission(t testing.TB, c transport.AdmissionConfig) *transport.Admission {
	t.Helper()
	a, err := newService(t).mesh.Admission("orders", c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// worked is how many calls are worked on, and how many were refused by priority, by
// the limit of a kind.
func worked(t testing.TB, a *transport.Admission, kind string) (inFlight int, refused [3]int64) {
	t.Helper()
	for _, l := range a.Dump().Limits.Limits {
		if l.Kind == kind {
			return l.InFlight, l.Refused
		}
	}
	t.Fatalf("there is no limit of %s", kind)
	panic("unreachable")
}

var oneAtATime = transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 1}}

// What a client is told of a request that is not taken on, over each protocol; the
// handler never sees it.
func TestRefusedRequests(t *testing.T) {
	for _, c := range []struct {
		name   string
		config transport.AdmissionConfig
		status int
		kind   string
		again  string
		text   string
	}{
		{"Concurrency", oneAtATime, 503, "concurrency", "1", "limit \"code\": concurrency limit reached\n"},
		{"Rate", transport.AdmissionConfig{Rate: ratelimit.RateConfig{Rate: 0.1, Burst: 1}}, 429, "rate", "10", "limit \"code\": rate limit reached\n"},
	} {
		for _, w := range wires(t) {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				begun, release := make(chan struct{}, 2), make(chan struct{})
				s := serve(t, fairhttp.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
					begun <- struct{}{}
					<-release
				}), fairhttp.Admit(admission(t, c.config))).ServeHTTP, w.server)
				orders := newService(t, s.addr())
				client, _ := orders.client(t, w.client, nil)
				var first sync.WaitGroup
				first.Go(func() { fetch(t, client, "GET", "mesh://orders/", "") })
				<-begun
				resp, text := fetch(t, client, "POST", "mesh://orders/", "two sheep")
				if resp.StatusCode != c.status || resp.Header.Get(fairhttp.Refused) != c.kind || resp.Header.Get("Retry-After") != c.again || text != c.text {
					t.Errorf("it is answered %s %v %q", resp.Status, resp.Header, text)
				}
				close(release)
				first.Wait()
				if n := orders.attempts(); n["overload"] != 1 || n["success"] != 1 {
					t.Errorf("the client has counted %v", n)
				}
				if len(begun) > 0 {
					t.Error("the handler was called again")
				}
			})
		}
	}
}

// A request whose answer would come too late is refused by what its method takes, and
// counts as overload whatever its status is.
func TestRequestsThatHaveNoTimeAreRefused(t *testing.T) {
	a := admission(t, transport.AdmissionConfig{})
	s := serve(t, fairhttp.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(20 * time.Millisecond)
	}), fairhttp.Admit(a), fairhttp.TrustTimeout()).ServeHTTP)
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	for range 20 { // as many as it takes to be believed
		fetch(t, client, "GET", "mesh://orders/", "")
	}
	var status int
	for range 2 { // of which the first may be let through, to see whether it still holds
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
		req.Header.Set(fairhttp.Timeout, "5")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if status = resp.StatusCode; resp.Header.Get(fairhttp.Refused) != "" && resp.Header.Get(fairhttp.Refused) != "deadline" {
			t.Errorf("it is refused by %v", resp.Header)
		}
	}
	if status != http.StatusGatewayTimeout {
		t.Errorf("it is answered %d", status)
	}
	if n := orders.attempts(); n["overload"] == 0 || n["failure"] != 0 {
		t.Errorf("the client has counted %v", n)
	}
	if _, refused := worked(t, a, "deadline"); refused[ratelimit.Default.Index()] == 0 {
		t.Errorf("refused are %v", refused)
	}
}

// A long request is refused before its body has come.
func TestBodiesOfRefusedRequestsAreNotRead(t *testing.T) {
	for _, framing := range []string{"Content-Length: 100000", "Transfer-Encoding: chunked", "Expect: 100-continue\r\nContent-Length: 10"} {
		t.Run(framing, func(t *testing.T) {
			s := full(t)
			conn, err := net.Dial("tcp", s.addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: orders\r\n%s\r\n\r\n", framing)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
				t.Errorf("it is answered %s, close=%t", resp.Status, resp.Close)
			}
		})
	}
}

// full returns a server that takes nothing on.
func full(t testing.TB, tune ...func(*server)) *server {
	t.Helper()
	a := admission(t, oneAtATime)
	held, err := a.Admit(t.Context(), transport.Arrival{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Done(transport.Neutral) })
	return serve(t, fairhttp.Handler(say("hello"), fairhttp.Admit(a)).ServeHTTP, tune...)
}

// A client that is refused in the middle of a long upload is told so.
func TestLongUploadsAreToldOfTheirRefusal(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := full(t, w.server)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, w.client, nil)
			long := strings.Repeat("sheep", 1<<20)
			for range 10 {
				if resp, _ := fetch(t, client, "POST", "mesh://orders/", long); resp.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("it is answered %s", resp.Status)
				}
			}
		})
	}
}

// The connection of a request with a short body is used again.
func TestRefusalsKeepTheConnection(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			s := full(t, w.server)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, w.client, nil)
			for range 5 {
				if resp, _ := fetch(t, client, "POST", "mesh://orders/", "two sheep"); resp.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("it is answered %s", resp.Status)
				}
			}
			if n := s.connections.Load(); n != 1 {
				t.Errorf("%d connections for 5 requests, one after the other", n)
			}
		})
	}
}

// A request holds its place until its handler has returned, in whatever way.
func TestAPlaceIsGivenBackAtTheTrueEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		h    func(http.ResponseWriter)
		err  bool // the client gets no answer
	}{
		{"Return", func(w http.ResponseWriter) { io.WriteString(w, "hello") }, false},
		{"AfterItHasAnswered", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, false},
		{"Panic", func(http.ResponseWriter) { panic("sheep") }, true},
		{"Abort", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, true},
		{"Hijack", func(w http.ResponseWriter) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := admission(t, oneAtATime)
			during := make(chan int, 1)
			s := serve(t, fairhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				defer func() {
					n, _ := worked(t, a, "concurrency")
					during <- n
				}()
				c.h(w)
			}), fairhttp.Admit(a)).ServeHTTP)
			client := &http.Client{Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			req, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL, nil) // which is not sent twice
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			if (err != nil) != c.err {
				t.Errorf("the client gets %v", err)
			}
			if n := <-during; n != 1 {
				t.Errorf("%d calls were worked on", n)
			}
			until(t, "the place is free", func() bool {
				n, _ := worked(t, a, "concurrency")
				return n == 0
			})
		})
	}
}

// A panic goes on its way as it came.
func TestPanicsGoThrough(t *testing.T) {
	h := fairhttp.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		fairhttp.Admit(admission(t, transport.AdmissionConfig{})))
	defer func() {
		if r := recover(); r != http.ErrAbortHandler {
			t.Errorf("recovered %v", r)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

// The handler has the writer, and the request, of the server.
func TestAdmitWrapsNothing(t *testing.T) {
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	fairhttp.Handler(http.HandlerFunc(func(gotW http.ResponseWriter, gotR *http.Request) {
		if gotW != http.ResponseWriter(w) || gotR != r {
			t.Errorf("the handler is given %T and %p, want %p", gotW, gotR, r)
		}
	}), fairhttp.Admit(admission(t, transport.AdmissionConfig{}))).ServeHTTP(w, r)
}

// Refusals are counted by the priority that is believed.
func TestAdmissionByPriority(t *testing.T) {
	trust := []fairhttp.HandlerOption{fairhttp.TrustPriority()}
	for _, c := range []struct {
		name    string
		options []fairhttp.HandlerOption
		said    string
		counts  ratelimit.Priority
	}{
		{"Nothing", trust, "", ratelimit.Default},
		{"Critical", trust, "critical", ratelimit.Critical},
		{"CriticalUntrusted", nil, "critical", ratelimit.Default},
		{"Sheddable", nil, "sheddable", ratelimit.Sheddable},
		{"Unknown", trust, "urgent", ratelimit.Default},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := admission(t, oneAtATime)
			held, err := a.Admit(t.Context(), transport.Arrival{})
			if err != nil {
				t.Fatal(err)
			}
			defer held.Done(transport.Neutral)
			h := fairhttp.Handler(say("hello"), append(c.options, fairhttp.Admit(a))...)
			req := httptest.NewRequest("GET", "/", nil)
			req.Header.Set(fairhttp.Priority, c.said)
			h.ServeHTTP(httptest.NewRecorder(), req)
			want := [3]int64{}
			want[c.counts.Index()] = 1
			if _, got := worked(t, a, "concurrency"); got != want {
				t.Errorf("refused are %v, want %v", got, want)
			}
		})
	}
}

// Rules for servers see a request as it came.
func TestAdmissionByRules(t *testing.T) {
	for _, c := range []struct {
		name, match string
		makes       func(*http.Request)
	}{
		{"Method", `"method":"POST"`, func(r *http.Request) { r.Method = "POST" }},
		{"Path", `"path":{"exact":"/a"}`, func(r *http.Request) { r.URL.Path = "/a" }},
		{"Header", `"headers":{"x-tier":{"exact":"gold"}}`, func(r *http.Request) { r.Header.Set("X-Tier", "gold") }},
		{"Query", `"query":{"tier":{"exact":"gold"}}`, func(r *http.Request) { r.URL.RawQuery = "tier=gold" }},
		{"Caller", `"caller":{"exact":"shop"}`, func(r *http.Request) { r.Header.Set(fairhttp.Caller, "shop") }},
		{"Baggage", `"baggage":{"tier":{"exact":"gold"}}`, func(r *http.Request) { r.Header.Set("Baggage", "tier=gold") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := new(fairleadtest.Rulebook)
			rules.PutText("orders", fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,"spec":{"service":"orders","server":{"limits":[
				{"name":"few","rate":"1/h","match":[{%s}]}]}}}`, rule.APIVersion, rule.Kind, c.match))
			a, err := newServiceWith(t, []transport.Option{transport.WithRules(rules)}).mesh.Admission("orders", transport.AdmissionConfig{})
			if err != nil {
				t.Fatal(err)
			}
			until(t, "the rules are known", func() bool { return a.Dump().Revision > 0 })
			h := fairhttp.Handler(say("hello"), fairhttp.Admit(a))
			answer := func(make func(*http.Request)) int {
				r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
				make(r)
				h.ServeHTTP(w, r)
				return w.Code
			}
			for range 3 {
				if status := answer(func(*http.Request) {}); status != http.StatusOK {
					t.Errorf("another request is answered %d", status)
				}
			}
			if status := answer(c.makes); status != http.StatusOK {
				t.Errorf("the first is answered %d", status)
			}
			if status := answer(c.makes); status != http.StatusTooManyRequests {
				t.Errorf("the second is answered %d", status)
			}
		})
	}
}

// A client that is refused stays away for as long as it is asked to, and its next
// attempt goes elsewhere.
func TestClientsObeyRefusals(t *testing.T) {
	busy := full(t)
	idle := serve(t, fairhttp.Handler(say("idle"), fairhttp.Admit(admission(t, oneAtATime))).ServeHTTP)
	orders := newServiceWith(t, []transport.Option{transport.WithRetry(retry.Policy{
		MaxAttempts: 2, On: retry.Overload, Backoff: retry.BackoffConfig{BaseInterval: time.Nanosecond},
	})}, busy.addr(), idle.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	begun := time.Now()
	for range 2 { // one of which comes to the busy one first
		if _, text := fetch(t, client, "GET", "mesh://orders/", ""); text != "idle" {
			t.Errorf("answered is %q", text)
		}
	}
	if n, waited := busy.executions.Load(), time.Since(begun); n == 0 || waited < time.Duration(n)*time.Second {
		t.Errorf("the client was refused %d times and has waited %v, which should be a second each", n, waited)
	}
}

// A refusal of the client's own limits is an error, as that of a breaker is.
func TestOwnLimitsRefuseWithAnError(t *testing.T) {
	s := serve(t, say("hello"))
	orders := newServiceWith(t, []transport.Option{transport.WithRateLimit(ratelimit.RateConfig{Rate: 0.1, Burst: 1})}, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	fetch(t, client, "GET", "mesh://orders/", "")
	req, _ := http.NewRequestWithContext(t.Context(), "POST", "mesh://orders/", strings.NewReader("two sheep"))
	_, err := client.Do(req)
	e, ok := errors.AsType[*transport.Error](err)
	if !ok || e.Stage != transport.StageLimit || e.Class != transport.Neutral || !errors.Is(err, ratelimit.ErrRate) || e.RetryAfter <= 0 || e.MaybeExecuted {
		t.Errorf("the error is %#v", err)
	}
	if n := s.executions.Load(); n != 1 {
		t.Errorf("%d calls reached the server", n)
	}
}

// A server is told who calls, if the client says so and its mesh knows.
func TestSendCaller(t *testing.T) {
	for _, c := range []struct {
		name   string
		sends  bool
		caller string
		passed string // on, by the application
		want   string
	}{
		{"Nothing", false, "shop", "", ""},
		{"Known", true, "shop", "", "shop"},
		{"Unknown", true, "", "", ""},
		{"InPlaceOfAnother", true, "shop", "front", "shop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, calls := receiving(t)
			orders := newServiceWith(t, []transport.Option{transport.WithCaller(c.caller)}, first.addr())
			client, _ := orders.client(t, fairhttp.Config{SendCaller: c.sends}, nil)
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
			if c.passed != "" {
				req.Header.Set(fairhttp.Caller, c.passed)
			}
			send(t, client, req)
			if got := (<-calls).header.Get(fairhttp.Caller); got != c.want {
				t.Errorf("the server is told %q, want %q", got, c.want)
			}
		})
	}
}
