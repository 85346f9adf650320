package fairhttp_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Row 24: a body that stalls fails, says so, counts against its instance, and its
// connection is not used again. One that only trickles does not.
func TestRow24ReadIdleTimeout(t *testing.T) {
	for _, w := range wires(t) {
		for _, zipped := range []bool{false, true} {
			t.Run(w.name+map[bool]string{true: "/Gzip"}[zipped], func(t *testing.T) {
				t.Parallel()
				gone := make(chan struct{})
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					var body io.Writer = w
					flush := func() { http.NewResponseController(w).Flush() }
					if zipped {
						w.Header().Set("Content-Encoding", "gzip")
						z := gzip.NewWriter(w)
						body, flush = z, func() { z.Flush(); http.NewResponseController(w).Flush() }
						defer z.Close()
					}
					for range 4 { // for longer than a read may wait
						io.WriteString(body, "drop")
						flush()
						time.Sleep(160 * time.Millisecond)
					}
					if r.URL.Path == "/stalls" {
						<-r.Context().Done()
						close(gone)
					}
				}, w.server)
				orders := newService(t, s.addr())
				config := w.client
				config.ReadIdleTimeout = 600 * time.Millisecond
				client, _ := orders.client(t, config, nil)
				if _, body := fetch(t, client, "GET", "mesh://orders/", ""); body != strings.Repeat("drop", 4) {
					t.Errorf("a body that trickles is %q", body)
				}
				resp, err := client.Get("mesh://orders/stalls")
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				n, ok := errors.AsType[net.Error](err)
				if string(body) != strings.Repeat("drop", 4) || !errors.Is(err, fairhttp.ErrStalled) || !errors.Is(err, os.ErrDeadlineExceeded) || !ok || !n.Timeout() {
					t.Errorf("the body is %q and ends with %v", body, err)
				}
				if text := fmt.Sprint(err); !strings.Contains(text, s.addr()) || !strings.Contains(text, "600ms") {
					t.Errorf("the error is %q", err)
				}
				resp.Body.Close()
				<-gone
				if n := orders.attempts(); n["timeout"] != 1 || n["success"] != 1 || orders.outstanding() != 0 {
					t.Errorf("attempts by outcome %v, %d in flight", n, orders.outstanding())
				}
				if w.proto == "HTTP/1.1" {
					until(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
				}
			})
		}
	}
}

// How long the caller takes between two reads is its own affair, and so is how long
// an event stream is silent.
func TestReadIdleTimeoutIsOfReadsOnly(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one ")
		http.NewResponseController(w).Flush()
		if r.Header.Get("Accept") != "" {
			time.Sleep(200 * time.Millisecond)
		}
		io.WriteString(w, "two")
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{ReadIdleTimeout: 50 * time.Millisecond}, nil)
	resp, err := client.Get("mesh://orders/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 1)
	io.ReadFull(resp.Body, b)
	time.Sleep(200 * time.Millisecond)
	if rest, err := io.ReadAll(resp.Body); string(rest) != "ne two" || err != nil {
		t.Errorf("the rest is %q: %v", rest, err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
	req.Header.Set("Accept", "text/event-stream")
	if body := send(t, client, req); body != "one two" {
		t.Errorf("the stream is %q", body)
	}
}

// A caller that closes a body while it is read has no stall.
func TestReadIdleTimeoutAndClose(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{ReadIdleTimeout: time.Hour}, nil)
	resp, err := client.Get("mesh://orders/")
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() { // ends with Close
		_, err := resp.Body.Read(make([]byte, 1))
		read <- err
	}()
	time.Sleep(20 * time.Millisecond)
	resp.Body.Close()
	if err := <-read; err == nil || errors.Is(err, fairhttp.ErrStalled) {
		t.Errorf("the read ended with %v", err)
	}
	if n := orders.attempts(); n["timeout"] != 0 || n["success"] != 1 {
		t.Errorf("attempts by outcome %v", n)
	}
}
