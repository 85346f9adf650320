package fairhttp_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// failingOver is a policy with something in the place of failures.
func failingOver(f rule.OnFailure) rule.Policy {
	p := bounded(time.Hour) // whose time the substitute has, too
	p.Spec.OnFailure = &f
	return p
}

// A rule's value takes the place of an answer, and of none, and is whole.
func TestRuleAnswersWithAValue(t *testing.T) {
	for _, c := range []struct {
		name, method string
		failure      http.HandlerFunc // nil: nobody listens
		status       int              // of the rule
		want         string
	}{
		{"InPlaceOfAnAnswer", "GET", answering(503, 100), 0, "200 OK"},
		{"InPlaceOfAnEmptyAnswer", "GET", answering(500, 0), 0, "200 OK"},
		{"InPlaceOfALostConnection", "POST", abort, 203, "203 Non-Authoritative Information"},
		{"InPlaceOfNobody", "GET", nil, 429, "429 Too Many Requests"},
		{"Head", "HEAD", answering(503, 0), 0, "200 OK"},
	} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/Shared=%t", c.name, shared), func(t *testing.T) {
				wire := new(http.Transport)
				var base http.RoundTripper = wire
				if shared {
					base = wrapped{wire}
				}
				p := failingOver(rule.OnFailure{Value: `{"items":[]}`, HTTPStatus: c.status})
				var orders *service
				var s *server
				if c.failure != nil {
					s = serve(t, c.failure)
					orders = ruled(t, p, []*server{s})
				} else {
					orders = ruled(t, p, nil)
					orders.add(t, refusing(t))
					orders.obeys(t, 1)
				}
				_, rt := orders.client(t, fairhttp.Config{}, base)
				body := newTracked("two sheep")
				req, _ := http.NewRequestWithContext(t.Context(), c.method, "mesh://orders/", body)
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				want := `{"items":[]}`
				if c.method == "HEAD" {
					want = ""
				}
				if resp.Status != c.want || string(text) != want || err != nil || resp.Body.Close() != nil {
					t.Errorf("the answer is %s %q, %v", resp.Status, text, err)
				}
				if resp.ContentLength != 12 || resp.Header.Get(fairhttp.Fallback) != "value" || resp.Header.Get("Content-Type") != "application/json" || resp.Request != req {
					t.Errorf("its length is %d, its header %v, its request %p", resp.ContentLength, resp.Header, resp.Request)
				}
				until(t, "the request body is closed", func() bool { return body.closes() == 1 })
				if orders.outstanding() != 0 {
					t.Errorf("%d in flight", orders.outstanding())
				}
				if s != nil {
					until(t, "the failed answer's connection is given back, or closed", func() bool {
						rt.CloseIdleConnections()
						wire.CloseIdleConnections()
						return s.open.Load() == 0
					})
				}
			})
		}
	}
}

// What fails safely is answered with nothing.
func TestFailsafe(t *testing.T) {
	s := serve(t, answering(503, 100))
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	for range 5 {
		req, _ := http.NewRequestWithContext(transport.WithCall(t.Context(), transport.Tolerate(rule.Failsafe)), "GET", "mesh://orders/", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 204 || len(body) != 0 || err != nil || resp.ContentLength != 0 || resp.Header.Get(fairhttp.Fallback) != "value" || resp.Header.Get("Content-Type") != "" {
			t.Errorf("the answer is %s %q with %v: %v", resp.Status, body, resp.Header, err)
		}
	}
	if s.connections.Load() != 1 || orders.outstanding() != 0 {
		t.Errorf("%d connections, %d in flight", s.connections.Load(), orders.outstanding())
	}
}

// A call that is redirected is one to the other service: its host, its name in TLS,
// its instances. What is sent is whole.
func TestRedirectedCallIsOfTheOtherService(t *testing.T) {
	ofOrders, trust := identity(t, "orders")
	ofArchive, _ := identity(t, "archive")
	leaf, err := x509.ParseCertificate(ofArchive.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	trust.RootCAs.AddCert(leaf)
	for _, c := range []struct {
		name, body string
		getBody    bool
		failure    http.HandlerFunc // nil: nobody listens
		redirected bool
	}{
		{"Get", "", false, answering(503, 100), true},
		{"LostGet", "", false, abort, true},
		{"Body", "two sheep", true, answering(503, 100), true},
		{"BodyThatIsGone", "two sheep", false, answering(503, 100), false},
		{"BodyThatIsLost", "two sheep", false, abort, false},
		{"BodyThatNobodyTook", "two sheep", false, nil, true},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/HTTP2=%t", c.name, http2), func(t *testing.T) {
				saw := make(chan [3]string, 1)
				archive := serve(t, func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					saw <- [3]string{r.Host, r.TLS.ServerName, string(body)}
					io.WriteString(w, strings.Repeat("archived", 20<<10))
				}, overTLS(ofArchive, http2))
				p := failingOver(rule.OnFailure{Service: "archive"})
				var orders *service
				if c.failure != nil {
					orders = ruled(t, p, []*server{serve(t, c.failure, overTLS(ofOrders, http2))}, transport.WithFallbackServices("archive"))
				} else {
					orders = ruled(t, p, nil, transport.WithFallbackServices("archive"))
					orders.add(t, refusing(t))
					orders.obeys(t, 1)
				}
				if _, err := orders.Register(t.Context(), discovery.Addrs("archive", archive.addr())[0]); err != nil {
					t.Fatal(err)
				}
				_, rt := orders.client(t, fairhttp.Config{TLS: trust}, nil)
				var body io.Reader
				tracked := newTracked(c.body)
				if c.body != "" {
					body = tracked
				}
				ctx := transport.WithCall(t.Context(), transport.Idempotent(false))
				req, _ := http.NewRequestWithContext(ctx, "PUT", "mesh://orders/path?q=1", body)
				if c.getBody {
					req.GetBody = func() (io.ReadCloser, error) { return newTracked(c.body), nil }
				}
				resp, err := rt.RoundTrip(req)
				if !c.redirected {
					if err == nil {
						text, _ := io.ReadAll(resp.Body)
						resp.Body.Close()
						if resp.StatusCode != 503 || len(text) != 100 {
							t.Errorf("the failure is %s with %d bytes", resp.Status, len(text))
						}
					}
					if len(saw) > 0 {
						t.Error("what is gone was sent to the other service")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if len(text) != 160<<10 || err != nil || resp.Request != req || req.Host != "orders" || req.URL.Host != "orders" {
					t.Errorf("the answer has %d bytes, %v, for %v", len(text), err, resp.Request.URL)
				}
				if got, want := <-saw, [3]string{"archive", "archive", c.body}; got != want {
					t.Errorf("the other service saw %q, want %q", got, want)
				}
				if c.body != "" {
					until(t, "the request body is closed", func() bool { return tracked.closes() == 1 })
				}
				if orders.outstanding() != 0 {
					t.Errorf("%d in flight", orders.outstanding())
				}
			})
		}
	}
}

// Code sees what failed, and what it returns takes its place.
func TestFallbackInCode(t *testing.T) {
	ours := errors.New("ours")
	made := func(text string) *http.Response {
		return &http.Response{StatusCode: 203, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}
	}
	for _, c := range []struct {
		name     string
		answer   http.HandlerFunc // nil: nobody listens
		fallback func(req *http.Request, failed *http.Response, err error) (*http.Response, error)
		status   int // 0: an error
		body     string
		err      error
		asked    bool
	}{
		{"InPlaceOfAnAnswer", answering(503, 100), func(_ *http.Request, failed *http.Response, err error) (*http.Response, error) {
			if failed == nil || failed.StatusCode != 503 || err != nil {
				return nil, fmt.Errorf("saw %v, %v", failed, err)
			}
			return made("cached"), nil
		}, 203, "cached", nil, true},
		{"InPlaceOfAnError", nil, func(req *http.Request, failed *http.Response, err error) (*http.Response, error) {
			if e, ok := errors.AsType[*transport.Error](err); failed != nil || !ok || e.Service != "orders" || req.URL.Host != "orders" {
				return nil, fmt.Errorf("saw %v, %v", failed, err)
			}
			return made("cached"), nil
		}, 203, "cached", nil, true},
		{"WithoutABody", answering(503, 100), func(*http.Request, *http.Response, error) (*http.Response, error) {
			return &http.Response{StatusCode: 204}, nil
		}, 204, "", nil, true},
		{"LeavesTheAnswer", answering(503, 3), func(*http.Request, *http.Response, error) (*http.Response, error) { return nil, nil }, 503, "\x00\x00\x00", nil, true},
		{"ReturnsTheAnswer", answering(503, 3), func(_ *http.Request, failed *http.Response, _ error) (*http.Response, error) { return failed, nil }, 503, "\x00\x00\x00", nil, true},
		{"ReturnsItsBody", answering(503, 3), func(_ *http.Request, failed *http.Response, _ error) (*http.Response, error) {
			copied := *failed
			copied.StatusCode = 203
			return &copied, nil
		}, 203, "\x00\x00\x00", nil, true},
		{"LeavesTheError", nil, func(*http.Request, *http.Response, error) (*http.Response, error) { return nil, nil }, 0, "", balancer.ErrNoInstances, true},
		{"AnErrorForAnAnswer", answering(503, 100), func(*http.Request, *http.Response, error) (*http.Response, error) { return nil, ours }, 0, "", ours, true},
		{"Both", answering(503, 100), func(*http.Request, *http.Response, error) (*http.Response, error) { return made("no"), ours }, 0, "", ours, true},
		{"Panic", answering(503, 3), func(*http.Request, *http.Response, error) (*http.Response, error) { panic("no") }, 503, "\x00\x00\x00", nil, true},
		{"Success", answering(200, 3), nil, 200, "\x00\x00\x00", nil, false},
		{"MistakeOfTheCaller", answering(404, 3), nil, 404, "\x00\x00\x00", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var addrs []string
			var s *server
			if c.answer != nil {
				s = serve(t, c.answer)
				addrs = append(addrs, s.addr())
			}
			orders := newService(t, addrs...)
			asked := 0
			client, rt := orders.client(t, fairhttp.Config{Fallback: func(req *http.Request, failed *http.Response, err error) (*http.Response, error) {
				asked++
				return c.fallback(req, failed, err)
			}}, nil)
			const calls = 2 // the second finds the connection of the first
			for range calls {
				resp, err := client.Get("mesh://orders/")
				if c.status == 0 {
					if !errors.Is(err, c.err) {
						t.Errorf("the call ended with %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != c.status || string(body) != c.body || err != nil || resp.Request == nil {
					t.Errorf("the answer is %d %q: %v", resp.StatusCode, body, err)
				}
			}
			if asked > 0 != c.asked || orders.outstanding() != 0 {
				t.Errorf("it was asked %d times, %d in flight", asked, orders.outstanding())
			}
			if s != nil && s.connections.Load() != 1 {
				t.Errorf("%d connections of %d calls", s.connections.Load(), calls)
			}
			if s != nil {
				until(t, "no connection is left", func() bool { rt.CloseIdleConnections(); return s.open.Load() == 0 })
			}
		})
	}
}

// Row 46: a fallback that panics is survived, and after three times within a minute
// not asked any more.
func TestRow46PanicOfFallback(t *testing.T) {
	orders := newService(t, serve(t, answering(503, 3)).addr())
	asked := 0
	client, _ := orders.client(t, fairhttp.Config{Fallback: func(*http.Request, *http.Response, error) (*http.Response, error) {
		asked++
		panic("no")
	}}, nil)
	for range 10 {
		if resp, body := fetch(t, client, "GET", "mesh://orders/", ""); resp.StatusCode != 503 || len(body) != 3 {
			t.Errorf("the answer is %s %q", resp.Status, body)
		}
	}
	if asked != 3 {
		t.Errorf("it was asked %d times", asked)
	}
}

// A caller that has given up is asked nothing, nor is anybody for it.
func TestFallbackIsNotForWhoHasGivenUp(t *testing.T) {
	var gaveUp atomic.Int64
	s := serve(t, hangs(&gaveUp))
	orders := ruled(t, failingOver(rule.OnFailure{Value: "1"}), []*server{s})
	client, _ := orders.client(t, fairhttp.Config{Fallback: func(*http.Request, *http.Response, error) (*http.Response, error) {
		t.Error("it was asked")
		return nil, nil
	}}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with the call
		for s.executions.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
	if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
}

// What a caller gets in place of a failure may be what code has at hand.
func ExampleConfig_fallback() {
	mesh, err := transport.New(new(discovery.Memory), transport.WithLogger(quiet))
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close(context.Background())
	rt, err := fairhttp.Config{
		Fallback: func(req *http.Request, failed *http.Response, err error) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Age": {"60"}}, Body: io.NopCloser(strings.NewReader("cached"))}, nil
		},
	}.Transport(mesh, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	resp, err := (&http.Client{Transport: rt}).Get("mesh://suggestions/")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body))
	// Output: 200 cached
}
