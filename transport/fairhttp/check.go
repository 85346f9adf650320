package fairhttp

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/fairlead-go/fairlead/transport"
)

// HealthCheck returns a check, for [transport.ServeConfig].Ready, that a GET of
// url is answered with a status from 200 to 299. A nil client is
// [http.DefaultClient].
func HealthCheck(client *http.Client, url string) func(context.Context) error {
	if client == nil {
		client = http.DefaultClient
	}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(req)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
		if answer.StatusCode < 200 || answer.StatusCode > 299 {
			return fmt.Errorf("%s answered %s", url, answer.Status)
		}
		return nil
	}
}

// Readiness returns a handler for the readiness probe of a platform: 200 while
// [transport.Mesh.Ready] has nothing to say of these services, else 503 and
// what it says.
func Readiness(mesh *transport.Mesh, services ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := mesh.Ready(services...); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ready")
	})
}
