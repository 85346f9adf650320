package fairhttp_test

import (
	"io"
	"net/http"
	"runtime"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// allocsPerCall returns how many allocations a request and its response cost
// in this whole process, servers included.
func allocsPerCall(t testing.TB, rt http.RoundTripper, urls []string) float64 {
	const calls = 2000
	var before, after runtime.MemStats
	for i := range calls + 100 {
		if i == 100 { // connections and pools are warm
			runtime.ReadMemStats(&before)
		}
		roundTrip(t, rt, urls[i%len(urls)])
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / calls
}

func roundTrip(t testing.TB, rt http.RoundTripper, url string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
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
		s := serve(t, say("hello"))
		addrs, urls = append(addrs, s.addr()), append(urls, s.URL)
	}
	orders := newService(t, addrs...)
	_, governed := orders.client(t, fairhttp.Config{}, nil)
	plain := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(plain.CloseIdleConnections)

	var added []float64
	for range 5 {
		added = append(added, allocsPerCall(t, governed, []string{"mesh://orders/"})-allocsPerCall(t, plain, urls))
	}
	slices.Sort(added)
	if median := added[len(added)/2]; median > most+0.2 { // the rest of the process allocates a little too
		t.Errorf("a governed call allocates %.2f times more than a plain one (of %.2f), %d are allowed", median, added, most)
	} else {
		t.Logf("added allocations per call: %.2f", added)
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
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				roundTrip(b, c.rt, c.urls[i%len(c.urls)])
			}
		})
	}
}
