package fairhttp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// fixed returns a client of one host.
func fixed(t testing.TB, f fairhttp.Fixed, base http.RoundTripper) *http.Client {
	t.Helper()
	f.Config.Logger = quiet
	rt, err := f.Transport(base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
		rt.CloseIdleConnections()
	})
	return &http.Client{Transport: rt}
}

var soon = retry.BackoffConfig{BaseInterval: time.Millisecond}

// Whoever says nothing but a host gets what is by default, over every base.
func TestFixedZeroConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		base func() http.RoundTripper
	}{
		{"NoBase", func() http.RoundTripper { return nil }},
		{"Transport", func() http.RoundTripper { return new(http.Transport) }},
		{"OtherBase", func() http.RoundTripper { return idleClosing{new(http.Transport)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var drop atomic.Int64
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if drop.Add(-1) >= 0 {
					abort(w, r)
				}
				body, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL, r.Host, body)
			})
			client := fixed(t, fairhttp.Fixed{Host: s.addr()}, c.base())
			if _, body := fetch(t, client, "POST", s.URL+"/a?b=c", "two sheep"); body != "POST /a?b=c "+s.addr()+" two sheep" {
				t.Errorf("the server saw %q", body)
			}
			drop.Store(2)
			if resp, body := fetch(t, client, "GET", s.URL+"/", ""); body != "GET / "+s.addr()+" " || resp.Request.URL.String() != s.URL+"/" {
				t.Errorf("the server saw %q, the answer names %v", body, resp.Request.URL)
			}
			drop.Store(1)
			before := s.executions.Load()
			_, err := client.Post(s.URL, "", strings.NewReader("x"))
			e, ok := errors.AsType[*transport.Error](err)
			if !ok || !e.MaybeExecuted || e.Instance != s.addr() || s.executions.Load() != before+1 {
				t.Errorf("a lost POST was executed %d times and ended with %v", s.executions.Load()-before, err)
			}
		})
	}
}

// A host that was out of reach is called again as soon as somebody asks: there is no
// other to go to meanwhile.
func TestFixedHostComesBack(t *testing.T) {
	addr := refusing(t)
	client := fixed(t, fairhttp.Fixed{Host: addr, Retry: retry.Policy{Backoff: soon}}, nil)
	for range 10 {
		_, err := client.Post("http://"+addr, "", nil)
		if e, ok := errors.AsType[*transport.Error](err); !ok || e.MaybeExecuted || e.Attempts != 3 {
			t.Errorf("the call ended with %v, want three attempts that reached nobody", err)
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skip("the port is somebody else's by now")
	}
	serve(t, say("hello"), func(s *server) { s.Listener.Close(); s.Listener = l })
	if _, body := fetch(t, client, "POST", "http://"+addr, ""); body != "hello" {
		t.Errorf("the answer is %q", body)
	}
}

// What policy says of statuses holds, and goes to the same host again.
func TestFixedRetriesByStatus(t *testing.T) {
	s := serve(t, lastly(answering(503, 100)))
	client := fixed(t, fairhttp.Fixed{Host: s.addr(), Timeout: time.Hour, Retry: retry.Policy{Codes: []int{503}, Backoff: soon, AttemptTimeout: time.Minute}}, nil)
	for range 5 {
		if _, body := fetch(t, client, "GET", s.URL, ""); body != "hello" {
			t.Errorf("the answer is %q", body)
		}
	}
	if s.executions.Load() != 15 || s.connections.Load() != 1 {
		t.Errorf("%d executions over %d connections", s.executions.Load(), s.connections.Load())
	}
}

// The time of a call ends it in its body, too, and says why.
func TestFixedTimeout(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	client := fixed(t, fairhttp.Fixed{Host: s.addr(), Timeout: 100 * time.Millisecond}, nil)
	_, err := client.Get(s.URL)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "is given 100ms") {
		t.Errorf("the call ended with %v", err)
	}
	resp, err := client.Get(s.URL + "/body")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "is given 100ms") {
		t.Errorf("the body ended with %v", err)
	}
}

// A call without an answer is sent to the host once more.
func TestFixedHedges(t *testing.T) {
	var gaveUp atomic.Int64
	s := serve(t, secondly(hangs(&gaveUp), say("hello")))
	client := fixed(t, fairhttp.Fixed{Host: s.addr(), Hedge: &retry.HedgeConfig{Delay: 20 * time.Millisecond, MaxExtra: 1}}, nil)
	if _, body := fetch(t, client, "GET", s.URL, ""); body != "hello" {
		t.Errorf("the answer is %q", body)
	}
	until(t, "the loser is ended", func() bool { return gaveUp.Load() == 1 })
}

// The breaker opens, fails at once, and closes when the host is well again; other
// hosts have nothing to do with it.
func TestFixedBreaker(t *testing.T) {
	var ill atomic.Bool
	ill.Store(true)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(500)
		}
	})
	other := serve(t, say("other"))
	client := fixed(t, fairhttp.Fixed{Host: s.addr(), Retry: retry.Policy{MaxAttempts: 1},
		Breaker: &breaker.Config{ConsecutiveFailures: 3, OpenFor: 100 * time.Millisecond}}, nil)
	for range 3 {
		fetch(t, client, "GET", s.URL, "")
	}
	_, err := client.Get(s.URL)
	e, ok := errors.AsType[*transport.Error](err)
	if !ok || e.Stage != transport.StageBreaker || !errors.Is(err, breaker.ErrOpen) || e.MaybeExecuted || s.executions.Load() != 3 {
		t.Errorf("after three failures a call ended with %v, %d executions", err, s.executions.Load())
	}
	if _, body := fetch(t, client, "GET", other.URL, ""); body != "other" {
		t.Errorf("the other host says %q", body)
	}
	ill.Store(false)
	until(t, "the breaker lets calls find out, and closes", func() bool {
		resp, err := client.Get(s.URL)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == 200
	})
	for range 10 {
		if resp, _ := fetch(t, client, "GET", s.URL, ""); resp.StatusCode != 200 {
			t.Errorf("after that the answer is %s", resp.Status)
		}
	}
}

// What takes the place of a failure is what Config says.
func TestFixedFallback(t *testing.T) {
	s := serve(t, answering(503, 10))
	f := fairhttp.Fixed{Host: s.addr()}
	f.Config.Fallback = func(*http.Request, *http.Response, error) (*http.Response, error) {
		return &http.Response{StatusCode: 204}, nil
	}
	if resp, _ := fetch(t, fixed(t, f, nil), "GET", s.URL, ""); resp.StatusCode != 204 {
		t.Errorf("the answer is %s", resp.Status)
	}
}

// Over https the host is the name in TLS and the Host header, whatever it resolves
// to, and HTTP/2 is spoken.
func TestFixedHTTPS(t *testing.T) {
	of, trust := identity(t, "api.example.com")
	names := make(chan [2]string, 10)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		names <- [2]string{r.TLS.ServerName, r.Host}
		io.WriteString(w, r.Proto)
	}, overTLS(of, true))
	var mu atomic.Pointer[[]string]
	mu.Store(new([]string))
	base := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: trust, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled := append(slices.Clone(*mu.Load()), addr) // a resolver of its own
		mu.Store(&dialled)
		return new(net.Dialer).DialContext(ctx, network, s.addr())
	}}
	for _, c := range []struct{ host, url, dialled, says string }{
		{"api.example.com", "https://api.example.com/", "api.example.com:443", "api.example.com"},
		{"api.example.com", "https://api.example.com:8443/", "api.example.com:8443", "api.example.com:8443"},
		{"API.example.com:8443", "https://api.Example.com:8443/", "api.Example.com:8443", "api.Example.com:8443"},
		{"api.example.com:443", "https://api.example.com/", "api.example.com:443", "api.example.com"},
	} {
		mu.Store(new([]string))
		client := fixed(t, fairhttp.Fixed{Host: c.host}, base)
		if _, body := fetch(t, client, "GET", c.url, ""); body != "HTTP/2.0" {
			t.Errorf("%s is spoken", body)
		}
		if got := <-names; !strings.EqualFold(got[0], "api.example.com") || got[1] != c.says {
			t.Errorf("%s: the server saw %q", c.url, got)
		}
		if got := *mu.Load(); !slices.Equal(got, []string{c.dialled}) {
			t.Errorf("%s: dialled %q", c.url, got)
		}
		if n := client.Transport.(*fairhttp.Transport).State().Attempts; n != 1 {
			t.Errorf("%s: %d governed attempts", c.url, n)
		}
	}
}

// httptest's own way of TLS works as with any client, and one that is not trusted is
// refused.
func TestFixedTLSServer(t *testing.T) {
	s := httptest.NewTLSServer(say("hello"))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	host := strings.TrimPrefix(s.URL, "https://")
	if _, body := fetch(t, fixed(t, fairhttp.Fixed{Host: host}, s.Client().Transport), "GET", s.URL, ""); body != "hello" {
		t.Errorf("the answer is %q", body)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	f := fairhttp.Fixed{Host: host, Config: fairhttp.Config{TLS: &tls.Config{RootCAs: roots}}}
	if _, body := fetch(t, fixed(t, f, nil), "GET", s.URL, ""); body != "hello" {
		t.Errorf("the answer is %q", body)
	}
	_, err := fixed(t, fairhttp.Fixed{Host: host}, nil).Get(s.URL)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("an untrusted host: %v", err)
	}
}

// A literal address of IPv6 is a host as any other.
func TestFixedIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	s := serve(t, lastly(answering(503, 1)), func(s *server) { s.Listener.Close(); s.Listener = l })
	for _, host := range []string{s.addr(), "[::1]"} {
		client := fixed(t, fairhttp.Fixed{Host: host, Retry: retry.Policy{Codes: []int{503}, Backoff: soon}}, nil)
		if _, body := fetch(t, client, "GET", s.URL, ""); body != "hello" {
			t.Errorf("%s: the answer is %q", host, body)
		}
	}
}

// A proxy of the base is asked as by any client, also on loopback.
func TestFixedUsesTheProxy(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "proxy for ", r.URL) })
	base := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }}
	client := fixed(t, fairhttp.Fixed{Host: "api.example.com"}, base)
	if _, body := fetch(t, client, "GET", "http://api.example.com/x", ""); body != "proxy for http://api.example.com/x" {
		t.Errorf("the answer is %q", body)
	}
}

// What is not of the host goes to the base, untouched.
func TestFixedPassesOnTheRest(t *testing.T) {
	for _, c := range []struct {
		host, url string
		governed  bool
	}{
		{"api.example.com", "http://api.example.com/", true},
		{"api.example.com", "https://api.example.com:9/", true},
		{"api.example.com:80", "http://api.example.com/", true},
		{"api.example.com:80", "https://api.example.com/", false},
		{"api.example.com:80", "http://api.example.com:8080/", false},
		{"api.example.com", "http://www.example.com/", false},
		{"api.example.com", "http://api.example.com.evil.example/", false},
		{"api.example.com", "mesh://api.example.com/", false},
		{"api.example.com", "ftp://api.example.com/", false},
		{"192.0.2.7", "http://192.0.2.7:8080/", true},
		{"192.0.2.7", "http://192.0.2.77/", false},
	} {
		var got *http.Request
		client := fixed(t, fairhttp.Fixed{Host: c.host}, base(func(r *http.Request) (*http.Response, error) {
			got = r
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
		}))
		rt := client.Transport.(*fairhttp.Transport)
		req, _ := http.NewRequestWithContext(t.Context(), "GET", c.url, nil)
		if _, err := rt.RoundTrip(req); err != nil {
			t.Fatal(c.url, err)
		}
		if governed := rt.State().Attempts == 1; governed != c.governed || governed == (got == req) {
			t.Errorf("%s of %s: governed: %t", c.url, c.host, governed)
		}
		if got.URL.String() != c.url || got.Host != req.Host {
			t.Errorf("%s: the base got %s for %s", c.url, got.URL, got.Host)
		}
	}
}

// Close ends all that it began, and calls that come later say so.
func TestFixedClose(t *testing.T) {
	s := serve(t, say("hello"))
	rt, err := fairhttp.Fixed{Host: s.addr(), Config: fairhttp.Config{Logger: quiet}}.Transport(nil)
	if err != nil {
		t.Fatal(err)
	}
	fetch(t, &http.Client{Transport: rt}, "GET", s.URL, "")
	for range 2 {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := (&http.Client{Transport: rt}).Get(s.URL); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	until(t, "no connection is left", func() bool { return s.open.Load() == 0 })
}

// Bad input is refused, with the field, the value and what is allowed.
func TestFixedValidate(t *testing.T) {
	for _, c := range []struct {
		name  string
		fixed fairhttp.Fixed
		want  string
	}{
		{"NoHost", fairhttp.Fixed{}, `Fixed.Host "" is invalid: allowed is the host of a URL`},
		{"URL", fairhttp.Fixed{Host: "https://api.example.com"}, `Fixed.Host "https://api.example.com"`},
		{"Path", fairhttp.Fixed{Host: "api.example.com/v1"}, `Fixed.Host "api.example.com/v1"`},
		{"User", fairhttp.Fixed{Host: "me@api.example.com"}, `Fixed.Host`},
		{"PortZero", fairhttp.Fixed{Host: "api.example.com:0"}, `Fixed.Host`},
		{"PortTooLarge", fairhttp.Fixed{Host: "api.example.com:65536"}, `Fixed.Host`},
		{"PortInWords", fairhttp.Fixed{Host: "api.example.com:https"}, `Fixed.Host`},
		{"NoPort", fairhttp.Fixed{Host: "api.example.com:"}, `Fixed.Host`},
		{"IPv6WithoutBrackets", fairhttp.Fixed{Host: "::1"}, `Fixed.Host "::1"`},
		{"IPv6WithZone", fairhttp.Fixed{Host: "[fe80::1%eth0]"}, `Fixed.Host`},
		{"NameInBrackets", fairhttp.Fixed{Host: "[api.example.com]"}, `Fixed.Host`},
		{"Half", fairhttp.Fixed{Host: "[::1"}, `Fixed.Host`},
		{"Unspecified", fairhttp.Fixed{Host: "0.0.0.0:80"}, `Fixed.Host`},
		{"Credentials", fairhttp.Fixed{Host: "169.254.169.254"}, `Fixed.Host`},
		{"Octal", fairhttp.Fixed{Host: "0177.0.0.1"}, `Fixed.Host`},
		{"Number", fairhttp.Fixed{Host: "2130706433"}, `Fixed.Host`},
		{"Timeout", fairhttp.Fixed{Host: "a", Timeout: -1}, `Fixed.Timeout -1ns is invalid: allowed is 0`},
		{"Hosts", fairhttp.Fixed{Host: "a", Config: fairhttp.Config{Hosts: []string{"b"}}}, `Fixed.Config.Hosts`},
		{"Prewarm", fairhttp.Fixed{Host: "a", Config: fairhttp.Config{Prewarm: 1}}, `Fixed.Config.Prewarm 1`},
		{"Config", fairhttp.Fixed{Host: "a", Config: fairhttp.Config{MaxIdle: -1}}, `Fixed.Config: Config.MaxIdle -1`},
		{"Retry", fairhttp.Fixed{Host: "a", Retry: retry.Policy{MaxAttempts: -1}}, `Fixed.Retry: retry: Policy.MaxAttempts is -1: allowed is`},
		{"Budget", fairhttp.Fixed{Host: "a", Budget: retry.BudgetConfig{Ratio: math.NaN()}}, `Fixed.Budget: retry: BudgetConfig.Ratio is NaN: allowed is`},
		{"Hedge", fairhttp.Fixed{Host: "a", Hedge: &retry.HedgeConfig{Percentile: 2}}, `Fixed.Hedge: retry: HedgeConfig.Percentile is 2: allowed is`},
		{"Breaker", fairhttp.Fixed{Host: "a", Breaker: &breaker.Config{FailureRate: 2}}, `Fixed.Breaker: breaker: Config.FailureRate is 2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, err := range []error{c.fixed.Validate(), func() error { _, err := c.fixed.Transport(nil); return err }()} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q in it", err, c.want)
				}
			}
		})
	}
	if _, err := (fairhttp.Fixed{Host: "a", Config: fairhttp.Config{MaxIdle: 1}}).Transport(wrapped{http.DefaultTransport}); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("a base that cannot be shaped: %v", err)
	}
	for _, host := range []string{"localhost", "api.example.com", "API.Example.com:443", "127.0.0.1", "10.0.0.7:80", "[2001:db8::7]", "[2001:db8::7]:443", "xn--bcher-kva.example"} {
		if err := (fairhttp.Fixed{Host: host}).Validate(); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A client of one host needs no registry to retry, and to stop where that is of no
// use.
func ExampleFixed() {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "hello at attempt ", r.Header.Get(fairhttp.Attempt))
	}))
	defer server.Close()

	rt, err := fairhttp.Fixed{
		Host:    server.Listener.Addr().String(), // "api.example.com"
		Timeout: 10 * time.Second,
		Retry: retry.Policy{
			On:             retry.ConnectFailure | retry.Reset | retry.Overload,
			AttemptTimeout: 2 * time.Second,
		},
		Breaker: &breaker.Config{ConsecutiveFailures: 5},
	}.Transport(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()

	resp, err := (&http.Client{Transport: rt}).Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body))
	// Output: 200 OK hello at attempt 2
}
