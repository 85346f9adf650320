package fairhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// BenchmarkAdded is what a call costs in this process beside what net/http does with
// it: the base answers at once.
func BenchmarkAdded(b *testing.B) {
	orders := newServiceWith(b, []transport.Option{transport.WithPolicy(nil)}, "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80")
	_, governed := orders.client(b, fairhttp.Config{}, prompt{})
	for _, c := range []struct {
		name, url string
		rt        http.RoundTripper
	}{{"bare", "http://10.0.0.1:80/", prompt{}}, {"fairlead", "mesh://orders/", governed}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				roundTrip(b, c.rt, "GET", c.url)
			}
		})
	}
}

// prompt answers at once.
type prompt struct{}

func (prompt) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Request: req, ContentLength: 5, Body: &content{Reader: *strings.NewReader("hello")}}, nil
}

type content struct{ strings.Reader }

func (*content) Close() error { return nil }
