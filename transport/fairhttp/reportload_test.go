package fairhttp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/orca"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// reporting starts a server whose answers report its load.
func reporting(t testing.TB, r *transport.LoadReporter, h http.HandlerFunc, tune ...func(*server)) *server {
	t.Helper()
	return serve(t, fairhttp.ReportLoad(h, r).ServeHTTP, tune...)
}

// get calls a server without a mesh.
func get(t testing.TB, url string) *http.Response {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp
}

func TestAnswersReportTheLoad(t *testing.T) {
	sse := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: x\n\n")
	}
	tests := []struct {
		name   string
		h      http.HandlerFunc
		failed bool
		silent bool // nothing is said of latency afterwards
	}{
		{"with a body", say("hello"), false, false},
		{"with nothing at all", func(http.ResponseWriter, *http.Request) {}, false, false},
		{"with a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, false, false},
		{"with a failure", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, true, true},
		{"that it has too much to do", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, true, true},
		{"after a hint", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.Write([]byte("hello"))
		}, false, false},
		{"flushed", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, false, false},
		{"flushed by a controller", func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}, false, false},
		{"copied from a reader", func(w http.ResponseWriter, _ *http.Request) {
			io.Copy(w, strings.NewReader("hello"))
		}, false, false},
		{"as a stream of events", sse, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r transport.LoadReporter
			s := reporting(t, &r, tt.h)
			resp := get(t, s.URL)
			load, err := orca.ParseHeader(resp.Header.Get(orca.Header))
			if err != nil || load.InFlight != 1 {
				t.Errorf("it reports %q: %+v, %v", resp.Header.Get(orca.Header), load, err)
			}
			until(t, "the call has ended", func() bool { return r.Load(balancer.Now()).InFlight == 0 })
			later := r.Load(balancer.Now() + time.Second)
			if (later.EPS > 0) != tt.failed || later.QPS == 0 {
				t.Errorf("afterwards it is %+v", later)
			}
			if (later.Latency == 0) != tt.silent {
				t.Errorf("afterwards the latency is %v", later.Latency)
			}
		})
	}
}

type (
	flusher  struct{}
	hijacker struct{}
	pusher   struct{}
)

func (flusher) Flush()                                        {}
func (hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, errors.ErrUnsupported }
func (pusher) Push(string, *http.PushOptions) error           { return errors.ErrUnsupported }

// Handlers find those optional interfaces that the writer underneath has, and no
// others.
func TestWriterIsAsTheOneUnderneath(t *testing.T) {
	type w = http.ResponseWriter
	rec := struct{ w }{httptest.NewRecorder()} // which hides that it flushes
	for name, below := range map[string]w{
		"none": rec,
		"F": struct {
			w
			flusher
		}{w: rec},
		"H": struct {
			w
			hijacker
		}{w: rec},
		"P": struct {
			w
			pusher
		}{w: rec},
		"FH": struct {
			w
			flusher
			hijacker
		}{w: rec},
		"FP": struct {
			w
			flusher
			pusher
		}{w: rec},
		"HP": struct {
			w
			hijacker
			pusher
		}{w: rec},
		"FHP": struct {
			w
			flusher
			hijacker
			pusher
		}{w: rec},
	} {
		fairhttp.ReportLoad(http.HandlerFunc(func(got http.ResponseWriter, _ *http.Request) {
			_, f := got.(http.Flusher)
			_, h := got.(http.Hijacker)
			_, p := got.(http.Pusher)
			if f != strings.Contains(name, "F") || h != strings.Contains(name, "H") || p != strings.Contains(name, "P") {
				t.Errorf("%s: Flusher %v, Hijacker %v, Pusher %v", name, f, h, p)
			}
		}), new(transport.LoadReporter)).ServeHTTP(below, httptest.NewRequest("GET", "/", nil))
	}
}

func TestAnswersReportTheLoadOverHTTP2(t *testing.T) {
	var r transport.LoadReporter
	s := reporting(t, &r, func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Hijacker); ok {
			t.Error("a connection of HTTP/2 cannot be taken over")
		}
		io.WriteString(w, "hello")
	}, overH2C)
	tr := &http.Transport{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}
	defer tr.CloseIdleConnections()
	resp, body := fetch(t, &http.Client{Transport: tr}, "GET", s.URL, "")
	if load, err := orca.ParseHeader(resp.Header.Get(orca.Header)); err != nil || load.InFlight != 1 || body != "hello" {
		t.Errorf("%+v %v %q", load, err, body)
	}
}

// What an application says of itself is not written over.
func TestAReportOfTheHandlerStays(t *testing.T) {
	for name, value := range map[string]string{orca.Header: "TEXT cpu_utilization=0.3", orca.BinaryHeader: "CQAAAAAAAOA/"} {
		var r transport.LoadReporter
		s := reporting(t, &r, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(name, value) })
		h := get(t, s.URL).Header
		if got := h.Get(orca.Header) + h.Get(orca.BinaryHeader); got != value {
			t.Errorf("got %q, want %q", got, value)
		}
	}
}

func TestAHandlerThatPanicsHasFailed(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"at once": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"in the middle": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "hello")
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r transport.LoadReporter
			s := reporting(t, &r, h)
			if resp, err := http.Get(s.URL); err == nil {
				resp.Body.Close()
			}
			until(t, "the failure counts", func() bool { return r.Load(balancer.Now()+time.Second).EPS > 0 })
			if got := r.Load(balancer.Now()); got.InFlight != 0 || got.Latency != 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAConnectionThatIsTakenOverIsInFlight(t *testing.T) {
	var r transport.LoadReporter
	s := reporting(t, &r, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		io.Copy(conn, rw)
	})
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	if got := r.Load(balancer.Now()).InFlight; got != 1 {
		t.Errorf("%d calls are in flight", got)
	}
	conn.Close()
	until(t, "it has ended", func() bool { return r.Load(balancer.Now()).InFlight == 0 })
	if got := r.Load(balancer.Now()); got.Latency != 0 {
		t.Errorf("its length is taken for latency: %+v", got)
	}
}

// A client that goes away says nothing of the server, if it does so at once.
func TestAClientThatGoesAwayIsNoFailure(t *testing.T) {
	var r transport.LoadReporter
	came := make(chan struct{})
	s := reporting(t, &r, func(w http.ResponseWriter, req *http.Request) {
		close(came)
		<-req.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-came
		cancel()
	}()
	req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Error("the call succeeded")
	}
	until(t, "the call counts", func() bool { return r.Load(balancer.Now()+time.Second).QPS > 0 })
	if got := r.Load(balancer.Now() + time.Second); got.EPS != 0 {
		t.Errorf("got %+v", got)
	}
}
