package fairhttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// mute is a writer of an answer that costs nothing.
type mute struct{ header http.Header }

func (m mute) Header() http.Header         { return m.header }
func (m mute) Write(p []byte) (int, error) { return len(p), nil }
func (m mute) WriteHeader(int)             {}

var bare = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

// TestAllocationsOfAdmit: a request that is taken on costs one allocation at most.
func TestAllocationsOfAdmit(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h := fairhttp.Handler(bare, fairhttp.Admit(admission(t, transport.AdmissionConfig{})), fairhttp.TrustPriority(), fairhttp.TrustTimeout())
	w, r := mute{http.Header{}}, httptest.NewRequest("GET", "/", nil)
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n > 1 {
		t.Errorf("%v allocations, 1 is allowed", n)
	}
}

// BenchmarkAdmit: what stands before a handler, beside the handler alone.
func BenchmarkAdmit(b *testing.B) {
	a := admission(b, transport.AdmissionConfig{})
	said := httptest.NewRequest("GET", "/", nil)
	said.Header.Set(fairhttp.Priority, "sheddable")
	for _, c := range []struct {
		name string
		h    http.Handler
		r    *http.Request
	}{
		{"bare", bare, httptest.NewRequest("GET", "/", nil)},
		{"handler", fairhttp.Handler(bare), httptest.NewRequest("GET", "/", nil)},
		{"admit", fairhttp.Handler(bare, fairhttp.Admit(a)), httptest.NewRequest("GET", "/", nil)},
		{"admitSheddable", fairhttp.Handler(bare, fairhttp.Admit(a)), said},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			w := mute{http.Header{}}
			for b.Loop() {
				c.h.ServeHTTP(w, c.r)
			}
		})
	}
}
