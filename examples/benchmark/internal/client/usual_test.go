package client_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

func TestTheUsualStackTriesAgainAndBreaks(t *testing.T) {
	for _, protocol := range []string{scenario.HTTP1, scenario.HTTP2, scenario.GRPC} {
		t.Run(protocol, func(t *testing.T) {
			var calls, broken atomic.Int64
			at := double{answer: func(_ context.Context, r request) ([]byte, error) {
				if calls.Add(1) == 1 || broken.Load() > 0 {
					return nil, errors.New("busy")
				}
				return r.payload, nil
			}}.start(t)[protocol]
			c := dial(t, client.Assignment{Variant: "usual-stack", Addrs: at, Scenario: scenario.Scenario{
				Protocol: protocol, Payload: 128, Concurrency: 1, Handler: scenario.Thin,
			}})
			if err := c.Worker()(t.Context()); err != nil || calls.Load() != 2 {
				t.Fatalf("after %d attempts the call ended with %v, want success after 2", calls.Load(), err)
			}
			broken.Store(1)
			var failing sync.WaitGroup
			for range 30 {
				failing.Go(func() { c.Worker()(t.Context()) })
			}
			failing.Wait()
			if err := c.Worker()(t.Context()); err == nil || !strings.Contains(err.Error(), "circuit breaker is open") {
				t.Errorf("30 failed calls later: %v", err)
			}
		})
	}
}
