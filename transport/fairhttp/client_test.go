package fairhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// What names no service goes to the base: the same request, its answer as it
// is, and the mesh knows nothing of it.
func TestOthersPassUntouched(t *testing.T) {
	var got *http.Request
	answer := &http.Response{StatusCode: 200, Body: http.NoBody}
	orders := newService(t, "127.0.0.1:1")
	_, rt := orders.client(t, fairhttp.Config{Hosts: []string{"orders", "billing:8080"}}, base(func(r *http.Request) (*http.Response, error) {
		got = r
		return answer, nil
	}))
	for _, url := range []string{
		"http://example.com/", "https://example.com/", "http://127.0.0.1:80/",
		"http://orders:8080/", "http://billing/", // declared with another port
		"ftp://orders/",
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got != req || resp != answer {
			t.Errorf("%s: the base got another request, or the caller another answer", url)
		}
		resp.Body.Close()
	}
	if n := len(orders.mesh.Dump().Services); n != 0 || rt.State().Attempts != 0 {
		t.Errorf("the mesh knows of %d services after that, state %+v", n, rt.State())
	}
}

// Declared hosts are governed, under http and https, with the Host header as
// the URL says it.
func TestDeclaredHosts(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	orders := newService(t, s.addr())
	client, rt := orders.client(t, fairhttp.Config{Hosts: []string{"orders", "orders:8080"}}, nil)
	for url, host := range map[string]string{"http://orders/": "orders", "http://orders:8080/": "orders:8080", "mesh://orders/": "orders"} {
		if _, got := fetch(t, client, "GET", url, ""); got != host {
			t.Errorf("%s arrived for host %q, want %q", url, got, host)
		}
	}
	if n := rt.State().Attempts; n != 3 {
		t.Errorf("%d governed attempts, want 3", n)
	}
}

// H16: redirects belong to http.Client. A relative one stays in the mesh, a
// body is sent again to where it leads.
func TestH16Redirects(t *testing.T) {
	elsewhere := serve(t, say("elsewhere"))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/relative":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		case "/absolute":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		default:
			io.Copy(w, r.Body)
		}
	})
	orders := newService(t, s.addr())
	client, rt := orders.client(t, fairhttp.Config{}, nil)
	resp, body := fetch(t, client, "POST", "mesh://orders/relative", "payload")
	if body != "payload" || resp.Request.URL.String() != "mesh://orders/end" {
		t.Errorf("the redirect led to %v with %q", resp.Request.URL, body)
	}
	if n := rt.State().Attempts; n != 2 {
		t.Errorf("%d governed attempts of a redirected call, want 2", n)
	}
	if _, body := fetch(t, client, "GET", "mesh://orders/absolute", ""); body != "elsewhere" {
		t.Errorf("the absolute redirect led to %q", body)
	}
}

// H16: the standard cookie jar knows http and https only, and so keeps nothing
// for mesh:// URLs. A declared host gets its cookies.
func TestH16Cookies(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		fmt.Fprint(w, len(r.Cookies()))
	})
	orders := newService(t, s.addr())
	for url, want := range map[string]string{"mesh://orders/": "0", "http://orders/": "1"} {
		client, _ := orders.client(t, fairhttp.Config{Hosts: []string{"orders"}}, nil)
		client.Jar, _ = cookiejar.New(nil)
		fetch(t, client, "GET", url, "")
		if _, got := fetch(t, client, "GET", url, ""); got != want {
			t.Errorf("%s: the second request carried %s cookies, want %s", url, got, want)
		}
	}
}

// Errors of a call that reaches nobody say so and can be told apart.
func TestErrorsTellWhatHappened(t *testing.T) {
	t.Run("no instances", func(t *testing.T) {
		client, _ := newService(t).client(t, fairhttp.Config{}, nil)
		_, err := client.Get("mesh://orders/")
		e, ok := errors.AsType[*transport.Error](err)
		if !ok || !errors.Is(err, balancer.ErrNoInstances) || e.Stage != transport.StagePick || e.MaybeExecuted {
			t.Errorf("error %v", err)
		}
	})
	t.Run("refused by all", func(t *testing.T) {
		client, _ := newService(t, refusing(t), refusing(t), refusing(t)).client(t, fairhttp.Config{}, nil)
		_, err := client.Post("mesh://orders/", "text/plain", strings.NewReader("x"))
		e, ok := errors.AsType[*transport.Error](err)
		if !ok || e.Stage != transport.StageSend || e.Attempts != 3 || e.MaybeExecuted || e.Service != "orders" || e.Method != "POST" || e.Instance == "" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a closed transport", func(t *testing.T) {
		s := serve(t, say("hello"))
		orders := newService(t, s.addr())
		client, rt := orders.client(t, fairhttp.Config{}, nil)
		fetch(t, client, "GET", "mesh://orders/", "")
		if err := errors.Join(rt.Close(), rt.Close()); err != nil {
			t.Fatal(err)
		}
		_, err := client.Get("mesh://orders/")
		if e, ok := errors.AsType[*transport.Error](err); !ok || !errors.Is(err, transport.ErrClosed) || e.Stage != transport.StageClosed {
			t.Errorf("error %v, want ErrClosed", err)
		}
		if _, body := fetch(t, client, "GET", s.URL, ""); body != "hello" {
			t.Errorf("the base was closed too: %q", body)
		}
	})
	t.Run("a closed mesh", func(t *testing.T) {
		s := serve(t, say("hello"))
		orders := newService(t, s.addr())
		client, _ := orders.client(t, fairhttp.Config{}, nil)
		fetch(t, client, "GET", "mesh://orders/", "")
		orders.mesh.Close(context.Background())
		for _, url := range []string{"mesh://orders/", "mesh://billing/"} { // known and not
			if _, err := client.Get(url); !errors.Is(err, transport.ErrClosed) {
				t.Errorf("%s: error %v, want ErrClosed", url, err)
			}
		}
	})
}

// A call that is on its way when the transport closes is not disturbed, and
// closes its connection behind it.
func TestCloseDisturbsNoCall(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			goOn := make(chan struct{})
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.(http.Flusher).Flush()
				<-goOn
				io.WriteString(w, "whole")
			}, w.server)
			orders := newService(t, s.addr())
			client, rt := orders.client(t, w.client, nil)
			resp, err := client.Get("mesh://orders/")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			rt.Close()
			close(goOn)
			if body, err := io.ReadAll(resp.Body); string(body) != "whole" || err != nil {
				t.Errorf("read %q, %v after Close", body, err)
			}
			if w.proto == "HTTP/1.1" {
				until(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
			}
			client.CloseIdleConnections()
		})
	}
}

// The mesh can be closed without the transport: what follows its services ends
// with it.
func TestMeshCloseEndsTheGoroutines(t *testing.T) {
	s := serve(t, say("hello"))
	orders := newService(t, s.addr())
	client, rt := orders.client(t, fairhttp.Config{}, nil)
	fetch(t, client, "GET", "mesh://orders/", "")
	orders.mesh.Close(context.Background())
	until(t, "the connections are closed", func() bool { return s.open.Load() == 0 })
	if n := rt.State().Instances; n != 0 {
		t.Errorf("%d instances have connections of their own after the mesh closed", n)
	}
}

// All of it at once, for the race detector: instances come and go, connections
// age, calls are cancelled, the state is read.
func TestConcurrentUse(t *testing.T) {
	a, b, c := serve(t, say("a")), serve(t, say("b")), serve(t, say("c"))
	orders := newService(t, a.addr(), b.addr())
	client, rt := orders.client(t, fairhttp.Config{Prewarm: 1, MaxConnAge: 1}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(ctx)
				req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
				if i%7 == 0 {
					cancel()
				}
				resp, err := client.Do(req)
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("GET: %v", err)
					}
				} else {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				cancel()
			}
		})
	}
	all.Go(func() {
		for range 20 {
			r := orders.add(t, c.addr())
			rt.State()
			client.CloseIdleConnections()
			r.Close(ctx)
		}
	})
	all.Wait()
	if n := orders.outstanding(); n != 0 {
		t.Errorf("%d calls in flight after all", n)
	}
}
