package faults_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/transport"
)

// One call in fifty takes long, on whatever instance. A second attempt after the
// 95th percentile makes the tail as short as the rest, for few more executions.
var (
	tail     = longTail(fleet.HTTP1, "long tail, HTTP/1")
	tailGRPC = longTail(fleet.GRPC, "long tail, gRPC")
)

const (
	rareWork    = 400 * time.Millisecond
	usualWork   = 4 * time.Millisecond
	tailCalls   = 4000
	tailCallers = 16
)

func longTail(p fleet.Protocol, fault string) row {
	return row{
		fault: fault,
		setup: func(s *scene) {
			s.protocol, s.scale.warm, s.scale.settle = p, 0, 0
			s.few(5)
		},
		inject: func(s *scene) {
			for _, i := range s.fleet.Running() {
				if err := i.Behave(s.Context(), fleet.Behaviour{Work: usualWork, Rare: 50, RareWork: rareWork}); err != nil {
					s.Fatal(err)
				}
			}
			received := func() int64 { return s.all(func(is fleet.Status) int64 { return is.Received }) }
			plain := s.measure(s.client(), p)
			s.rule(document(`"idempotent":true,"hedge":{"percentile":"95%"}`))
			c := s.client()
			s.withRule(c)
			before := received()
			s.measure(c, p) // until the latencies are known
			hedged := s.measure(c, p)
			// Of both: what is allowed is a share of the calls of ten seconds, and what the
			// first did not use is the second's.
			more := float64(received()-before)/(2*tailCalls) - 1

			s.figure("p99.9 without", plain.p999.String())
			s.figure("p99.9 with", hedged.p999.String())
			s.figure("executions more", more)
			seen := c.called()
			s.figure("second attempts", seen.Hedges)
			s.figure("slow answers without", plain.slow)
			s.figure("slow answers with", hedged.slow)
			// A tenth, on a machine that is not short of CPU: there all calls are slow by
			// then, and none is sent twice.
			if plain.slow < tailCalls/100 || hedged.slow > plain.slow/2 {
				s.Errorf("of %d calls %d had a slow answer, and %d where they are sent a second time; want half of that at most", tailCalls, plain.slow, hedged.slow)
			}
			if more > 0.06 || more <= 0 {
				s.Errorf("%.1f %% more executions, want some, and 6 %% at most", more*100)
			}
			if seen.Attempts["failure"]+seen.Attempts["lost"]+seen.Attempts["timeout"] > 0 || len(seen.Ejections) > 0 {
				s.Errorf("attempts that were given up were charged: %v, ejections %v", seen.Attempts, seen.Ejections)
			}
		},
		hold:  func(s *scene) {},
		check: func(s *scene) {},
	}
}

// latencies are those of tailCalls calls.
type latencies struct {
	p999 time.Duration
	slow int // whose answer is that of one of the rare
}

// measure makes calls from some callers at a time.
func (s *scene) measure(c *client, p fleet.Protocol) latencies {
	s.Helper()
	var mu sync.Mutex
	var took []time.Duration
	slow := 0
	var callers sync.WaitGroup
	for range tailCallers {
		callers.Go(func() {
			for range tailCalls / tailCallers {
				ctx, cancel := context.WithTimeout(transport.WithCall(s.Context(), transport.Idempotent(true)), 30*time.Second)
				began := time.Now()
				answer, err := c.unnamed(ctx, p)
				d := time.Since(began)
				cancel()
				mu.Lock()
				if took = append(took, d); err != nil {
					s.Error(err)
				}
				if answer == fleet.RareAnswer {
					slow++
				}
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	slices.Sort(took)
	return latencies{p999: took[len(took)*999/1000], slow: slow}
}

// unnamed is a call that no history asks for, so that many may be made at a time. It
// returns the answer.
func (c *client) unnamed(ctx context.Context, p fleet.Protocol) (string, error) {
	if p == fleet.GRPC {
		r, err := c.grpc.UnaryCall(metadata.AppendToOutgoingContext(ctx, fleet.CallHeader, "0"), &grpc_testing.SimpleRequest{})
		return r.GetServerId(), err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://"+service+"/", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set(fleet.CallHeader, "0")
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return string(answer), err
}
