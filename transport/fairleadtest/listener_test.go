package fairleadtest_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// serveOn serves HTTP until the test ends; the handler tells when it is called
// and waits for a word to answer.
func serveOn(t *testing.T, l *fairleadtest.Listener, h http.HandlerFunc) (url string) {
	t.Helper()
	server := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func listen(t *testing.T) *fairleadtest.Listener {
	t.Helper()
	l, err := fairleadtest.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newPlainClient(t *testing.T) *http.Client {
	base := new(http.Transport)
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: base, Timeout: 30 * time.Second}
}

func TestListenerServes(t *testing.T) {
	url := serveOn(t, listen(t), func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	resp, err := newPlainClient(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestListenerResetsConnections(t *testing.T) {
	l := listen(t)
	called := make(chan struct{})
	url := serveOn(t, l, func(_ http.ResponseWriter, r *http.Request) {
		close(called)
		<-r.Context().Done()
	})
	go func() {
		<-called
		l.Reset()
	}()
	if _, err := newPlainClient(t).Get(url); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error is %v", err)
	}
}

func TestListenerRefuses(t *testing.T) {
	l := listen(t)
	executed := 0
	url := serveOn(t, l, func(http.ResponseWriter, *http.Request) { executed++ })
	client := newPlainClient(t)
	l.Refuse(true)
	if resp, err := client.Post(url, "", nil); err == nil {
		t.Errorf("got %v", resp.Status)
	}
	l.Refuse(false)
	resp, err := client.Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if executed != 1 {
		t.Errorf("executed %d times", executed)
	}
}

func TestListenerDelays(t *testing.T) {
	l := listen(t)
	url := serveOn(t, l, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	l.Delay(time.Second)
	began := time.Now()
	resp, err := newPlainClient(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "hello" || time.Since(began) < time.Second {
		t.Errorf("got %q after %v", got, time.Since(began))
	}
}

// A delay does not outlive its connection.
func TestListenerResetsDelayedConnections(t *testing.T) {
	l := listen(t)
	called := make(chan struct{})
	url := serveOn(t, l, func(w http.ResponseWriter, _ *http.Request) { close(called) })
	l.Delay(time.Hour)
	go func() {
		<-called
		l.Reset()
	}()
	if resp, err := newPlainClient(t).Get(url); err == nil {
		t.Errorf("got %v an hour early", resp.Status)
	}
}

var _ net.Listener = (*fairleadtest.Listener)(nil)
