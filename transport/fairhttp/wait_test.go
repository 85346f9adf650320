package fairhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// post sends a body to orders and returns the answer's.
func post(ctx context.Context, c *http.Client, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "mesh://orders/", io.NopCloser(strings.NewReader(body))) // that cannot be had again
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return string(got), err
}

// Requests told to wait go out when the first instance of a service that was
// scaled to zero appears, every one of them, whatever the method, and with
// their bodies.
func TestWaitForReady(t *testing.T) {
	const calls = 300
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	s := newService(t)
	client, _ := s.client(t, fairhttp.Config{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var waiters sync.WaitGroup
	for range calls {
		waiters.Go(func() {
			if got, err := post(transport.WithCall(ctx, transport.WaitForReady(true)), client, "an order"); err != nil || got != "an order" {
				t.Errorf("got %q: %v", got, err)
			}
		})
	}
	until(t, "all wait", func() bool {
		services := s.mesh.Dump().Services
		return len(services) == 1 && services[0].Waiting == calls
	})
	if _, err := post(ctx, client, ""); !errors.Is(err, balancer.ErrNoInstances) {
		t.Errorf("a request that was not told to wait: %v", err)
	}
	s.add(t, echo.addr())
	waiters.Wait()
	if got := echo.executions.Load(); got != calls {
		t.Errorf("%d requests were executed", got)
	}
}

// A wait in vain ends with the request's deadline, or with the mesh, and leaves
// the request body closed.
func TestWaitForReadyEnds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		end   func(*service)
		stage transport.Stage
		cause error
	}{
		{"deadline", func(*service) {}, transport.StageWait, context.DeadlineExceeded},
		{"mesh closed", func(s *service) { s.mesh.Close(context.Background()) }, transport.StageClosed, transport.ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t)
			client, _ := s.client(t, fairhttp.Config{}, nil)
			within := patience
			if tt.stage == transport.StageWait {
				within = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			body := newTracked("an order")
			req, err := http.NewRequestWithContext(transport.WithCall(ctx, transport.WaitForReady(true)), http.MethodPost, "mesh://orders/", body)
			if err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() {
				_, err := client.Do(req)
				failed <- err
			}()
			until(t, "it waits", func() bool {
				services := s.mesh.Dump().Services
				return len(services) == 1 && services[0].Waiting == 1 || len(failed) == 1
			})
			tt.end(s)
			err = <-failed
			own, ok := errors.AsType[*transport.Error](err)
			if !ok || own.Stage != tt.stage || !errors.Is(err, tt.cause) || own.MaybeExecuted {
				t.Errorf("error is %#v (%v)", own, err)
			}
			if body.closes() == 0 || body.consumed() {
				t.Errorf("the body was closed %d times, consumed: %v", body.closes(), body.consumed())
			}
		})
	}
}

// An instance that is listed and refuses connections is not waited for: the
// request is made again as usual, and then fails.
func TestWaitForReadyIsNotForAnInstanceThatRefuses(t *testing.T) {
	s := newService(t, refusing(t))
	client, _ := s.client(t, fairhttp.Config{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := post(transport.WithCall(ctx, transport.WaitForReady(true)), client, "")
	if own, ok := errors.AsType[*transport.Error](err); !ok || own.Stage != transport.StageSend || own.Attempts != 3 || !errors.Is(err, syscall.ECONNREFUSED) || ctx.Err() != nil {
		t.Errorf("error is %#v (%v)", own, err)
	}
}
