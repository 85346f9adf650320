package fairhttp_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Callers that return early on a status they did not want, without Close, are
// common. The call ends with its context, so that the instance does not look
// busy for ever.
func TestAbandonedAnswersEndWithTheContext(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"an unwanted status": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusNotFound) },
		"a stream":           func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.Write([]byte("more")) },
		"a long answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			w.Write(make([]byte, 100_000))
		},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, h)
			orders := newService(t, s.addr())
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			for range 10 {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://orders/", nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := client.Do(req); err != nil {
					t.Fatal(err)
				}
			}
			if n := orders.outstanding(); n != 10 {
				t.Errorf("%d calls are in flight, want those 10 whose answers nobody has read", n)
			}
			cancel()
			until(t, "nothing is in flight", func() bool { return orders.outstanding() == 0 })
		})
	}
}
