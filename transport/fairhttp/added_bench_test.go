package fairhttp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// BenchmarkAdded is what a call costs in this process beside what net/http does with
// it: the base answers at once. Bare is the base alone, and a context with a timeout
// where there is one.
func BenchmarkAdded(b *testing.B) {
	for _, c := range []struct {
		deadline string
		timeout  time.Duration
	}{{"none", 0}, {"1s", time.Second}} {
		orders := newServiceWith(b, []transport.Option{transport.WithPolicy(nil), transport.WithTimeout(c.timeout)},
			"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80")
		_, governed := orders.client(b, fairhttp.Config{}, prompt{})
		b.Run("bare/deadline="+c.deadline, func(b *testing.B) {
			cputime.Start(b)
			for b.Loop() {
				ctx, cancel := b.Context(), func() {}
				if c.timeout > 0 {
					ctx, cancel = context.WithTimeout(ctx, c.timeout)
				}
				answer(ctx, b, prompt{}, "http://10.0.0.1:80/")
				cancel()
			}
		})
		b.Run("fairlead/deadline="+c.deadline, func(b *testing.B) {
			cputime.Start(b)
			for b.Loop() {
				answer(b.Context(), b, governed, "mesh://orders/")
			}
		})
	}
}

func answer(ctx context.Context, b *testing.B, rt http.RoundTripper, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
}

// prompt answers at once, within a context of its own, as net/http has one.
type prompt struct{}

func (prompt) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	ctx.Done()
	return &http.Response{StatusCode: http.StatusOK, Request: req, ContentLength: 5, Body: &content{*strings.NewReader("hello")}}, nil
}

type content struct{ strings.Reader }

func (*content) Close() error { return nil }
