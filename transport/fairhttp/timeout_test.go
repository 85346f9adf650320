package fairhttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// The time that the first caller has shrinks from hop to hop, and all of them end
// with it.
func TestTimeoutShrinksHopByHop(t *testing.T) {
	orders := newService(t)
	client, _ := orders.client(t, fairhttp.Config{SendTimeout: true}, nil)
	type hop struct {
		header string
		rest   time.Duration
		bound  bool
	}
	hops := make(chan hop, 3)
	hanging := make(chan error, 3)
	next := map[string]string{"front": "middle", "middle": "back"}
	for _, name := range []string{"front", "middle", "back"} {
		s := serve(t, fairhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			deadline, bound := r.Context().Deadline()
			hops <- hop{r.Header.Get(fairhttp.Timeout), time.Until(deadline), bound}
			to := next[name]
			if to == "" {
				<-r.Context().Done()
				hanging <- context.Cause(r.Context())
				return
			}
			time.Sleep(2 * time.Millisecond)
			req, _ := http.NewRequestWithContext(r.Context(), "GET", "mesh://"+to+"/", nil)
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
			}
			hanging <- context.Cause(r.Context())
		}), fairhttp.TrustTimeout()).ServeHTTP)
		if _, err := orders.Register(t.Context(), discovery.Addrs(name, s.addr())[0]); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://front/", nil)
	if resp, err := client.Do(req); err == nil {
		resp.Body.Close()
	}
	last, lastHeader := 2*time.Second, int64(2000)
	for n := range 3 {
		h := <-hops
		ms, err := strconv.ParseInt(h.header, 10, 64)
		if err != nil || !h.bound || h.rest >= last || ms > lastHeader || n > 0 && ms == lastHeader {
			t.Errorf("hop %d is told %q and has %v of %v", n+1, h.header, h.rest, last)
		}
		last, lastHeader = h.rest, ms
	}
	for range 3 {
		if err := <-hanging; err == nil {
			t.Error("a hop did not end with its time")
		}
	}
}

// What a client says of its time, and what a listener makes of it.
func TestTrustTimeout(t *testing.T) {
	trust := []fairhttp.HandlerOption{fairhttp.TrustTimeout()}
	for _, c := range []struct {
		name    string
		header  string
		options []fairhttp.HandlerOption
		own     time.Duration // the deadline that there is
		status  int
		most    time.Duration // 0: no deadline
	}{
		{"Nothing", "", trust, 0, 200, 0},
		{"Bound", "5000", trust, 0, 200, 5 * time.Second},
		{"OnlyShortens", "5000", trust, time.Second, 200, time.Second},
		{"Shortens", "500", trust, time.Hour, 200, 500 * time.Millisecond},
		{"Untrusted", "5000", nil, 0, 200, 0},
		{"UntrustedZero", "0", nil, 0, 200, 0},
		{"Zero", "0", trust, 0, 504, 0},
		{"Negative", "-1", trust, 0, 200, 0},
		{"Signed", "+1", trust, 0, 200, 0},
		{"Fraction", "1.5", trust, 0, 200, 0},
		{"WithUnit", "100ms", trust, 0, 200, 0},
		{"Word", "soon", trust, 0, 200, 0},
		{"Blank", " 1", trust, 0, 200, 0},
		{"MoreThanADay", "86400001", trust, 0, 200, 0},
		{"Overflow", "99999999999999999999", trust, 0, 200, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			handled := false
			h := fairhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				handled = true
				deadline, ok := r.Context().Deadline()
				if rest := time.Until(deadline); ok != (c.most > 0) || ok && rest > c.most {
					t.Errorf("a deadline: %t, in %v; want at most %v", ok, rest, c.most)
				}
			}), c.options...)
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			if c.own > 0 {
				ctx, cancel := context.WithTimeout(r.Context(), c.own)
				defer cancel()
				r = r.WithContext(ctx)
			}
			if c.header != "" {
				r.Header[fairhttp.Timeout] = []string{c.header}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status || handled != (c.status == 200) {
				t.Errorf("answered %d, handled: %t", w.Code, handled)
			}
		})
	}
}

// What a server is told of the time of its caller.
func TestSendTimeout(t *testing.T) {
	seen := make(chan []string, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { seen <- r.Header[fairhttp.Timeout] })
	for _, c := range []struct {
		name    string
		off     bool
		call    time.Duration
		attempt time.Duration
		header  [2]string // of the caller
		most    int64     // 0: nothing is said
	}{
		{"Unbounded", false, 0, 0, [2]string{}, 0},
		{"Off", true, time.Minute, 0, [2]string{}, 0},
		{"Call", false, time.Minute, 0, [2]string{}, 60_000},
		{"AttemptIsLess", false, time.Minute, 10 * time.Second, [2]string{}, 60_000},
		{"AttemptIsMore", false, time.Minute, time.Hour, [2]string{}, 60_000},
		{"OnlyAnAttempt", false, 0, 10 * time.Second, [2]string{}, 0},
		{"PassedOnIsLess", false, time.Minute, 0, [2]string{fairhttp.Timeout, "30000"}, 30_000},
		{"PassedOnIsMore", false, time.Minute, 0, [2]string{fairhttp.Timeout, "90000"}, 60_000},
		{"EventStream", false, time.Minute, 0, [2]string{"Accept", "text/event-stream"}, 0},
		{"Upgrade", false, time.Minute, 0, [2]string{"Upgrade", "echo"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			orders := newServiceWith(t, []transport.Option{pressed(c.attempt)}, s.addr())
			client, _ := orders.client(t, fairhttp.Config{SendTimeout: !c.off}, nil)
			ctx := t.Context()
			if c.call > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.call)
				defer cancel()
			}
			req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
			if c.header[0] != "" {
				req.Header.Set(c.header[0], c.header[1])
			}
			before := fmt.Sprint(req.Header)
			send(t, client, req)
			got := <-seen
			if fmt.Sprint(req.Header) != before {
				t.Errorf("the caller's header became %v", req.Header)
			}
			if c.most == 0 {
				if len(got) != 0 {
					t.Errorf("the server is told %q", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("the server is told %q", got)
			}
			if ms, err := strconv.ParseInt(got[0], 10, 64); err != nil || ms > c.most || ms < c.most/2 {
				t.Errorf("the server is told %q, want at most %d", got, c.most)
			}
		})
	}
}

// A listener that trusts its clients gives up when they do.
func ExampleTrustTimeout() {
	handler := fairhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, bounded := r.Context().Deadline()
		fmt.Fprint(w, "bounded: ", bounded)
	}), fairhttp.TrustTimeout())

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(fairhttp.Timeout, "250") // as a client with Config.SendTimeout says
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	fmt.Println(string(body))

	r.Header.Set(fairhttp.Timeout, "0")
	w = httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// bounded: true
	// 504
}
