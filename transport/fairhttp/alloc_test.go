package fairhttp_test

import (
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// allocsPerCall returns how many allocations a request and its response cost
// in this whole process, servers included.
func allocsPerCall(t testing.TB, rt http.RoundTripper, method string, urls []string) float64 {
	const warmUp, calls = 100, 1000
	var before, after runtime.MemStats
	for i := range warmUp + calls {
		if i == warmUp {
			runtime.ReadMemStats(&before)
		}
		roundTrip(t, rt, method, urls[i%len(urls)])
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / calls
}

func roundTrip(t testing.TB, rt http.RoundTripper, method, url string) {
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader("payload")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestAddedAllocations compares a governed call with a plain one over the same
// number of servers.
func TestAddedAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and sync.Pool forgets under it")
	}
	const most = 3
	var addrs, urls []string
	for range 3 {
		s := serve(t, say("hello"), overH2C)
		addrs, urls = append(addrs, s.addr()), append(urls, s.URL)
	}
	http2 := protocols((*http.Protocols).SetUnencryptedHTTP2)
	for _, c := range []struct {
		name, method string
		protocols    *http.Protocols
		shared       bool
	}{
		{"GET", "GET", nil, false},
		{"POST", "POST", nil, false},
		{"GET over HTTP/2", "GET", http2, false},
		{"GET over a shared base", "GET", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			plain := &http.Transport{MaxIdleConnsPerHost: 16, Protocols: c.protocols}
			var base http.RoundTripper = plain.Clone()
			if c.shared {
				base = idleClosing{plain.Clone()}
			}
			orders := newService(t, addrs...)
			client, governed := orders.client(t, fairhttp.Config{}, base)
			t.Cleanup(plain.CloseIdleConnections)
			t.Cleanup(client.CloseIdleConnections)
			var with, without []float64
			for range 5 {
				with = append(with, allocsPerCall(t, governed, c.method, []string{"mesh://orders/"}))
				without = append(without, allocsPerCall(t, plain, c.method, urls))
			}
			// The rest of the process allocates too, and pools are emptied, the
			// more the busier the machine is: up to half of one in a call. One
			// that is made in each call counts as a whole.
			if added := slices.Min(with) - slices.Min(without); added > most+0.7 {
				t.Errorf("a governed call allocates %.2f times more than a plain one (%.2f, plain %.2f), %d are allowed", added, with, without, most)
			}
		})
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	var addrs, urls []string
	for range 3 {
		s := serve(b, say("hello"))
		addrs, urls = append(addrs, s.addr()), append(urls, s.URL)
	}
	orders := newService(b, addrs...)
	_, governed := orders.client(b, fairhttp.Config{}, nil)
	plain := &http.Transport{MaxIdleConnsPerHost: 256}
	b.Cleanup(plain.CloseIdleConnections)
	for _, c := range []struct {
		name string
		rt   http.RoundTripper
		urls []string
	}{{"plain", plain, urls}, {"fairhttp", governed, []string{"mesh://orders/"}}} {
		b.Run(c.name, func(b *testing.B) {
			for i := range 200 { // connections are no part of it
				roundTrip(b, c.rt, "GET", c.urls[i%len(c.urls)])
			}
			cputime.Start(b)
			for i := 0; b.Loop(); i++ {
				roundTrip(b, c.rt, "GET", c.urls[i%len(c.urls)])
			}
		})
	}
}
