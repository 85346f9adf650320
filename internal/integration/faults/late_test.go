package faults_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

// A call that has no time left reaches nobody: nobody is picked, charged or
// probed with it.
var (
	late     = tooLate(fleet.HTTP1, "deadline passed, HTTP1")
	lateGRPC = tooLate(fleet.GRPC, "deadline passed, gRPC")
)

func tooLate(p fleet.Protocol, fault string) row {
	return row{
		number: 43, fault: fault,
		setup: func(s *scene) {
			s.protocol, s.scale.warm, s.scale.settle = p, 0, 0
			s.few(3)
		},
		inject: func(s *scene) {
			c := s.client()
			one := c.get
			if p == fleet.GRPC {
				one = func(ctx context.Context) error { return c.unary(ctx) }
			}
			ample, cancel := context.WithTimeout(s.Context(), time.Minute)
			defer cancel()
			for range 30 { // connections, and what the method needs
				if err := one(ample); err != nil {
					s.Fatal(err)
				}
			}
			before, received := c.called(), s.all(func(is fleet.Status) int64 { return is.Received })
			took := make([]time.Duration, 0, 100)
			ctx, cancel := context.WithDeadline(s.Context(), time.Now().Add(-time.Second))
			defer cancel()
			for range cap(took) {
				began := time.Now()
				err := one(ctx)
				took = append(took, time.Since(began))
				if !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
					s.Fatalf("a call whose time was up has %v", err)
				}
			}
			slices.Sort(took)
			s.figure("median of a call that is too late", took[len(took)/2].String())
			s.untouched(c, before.Attempts, received, 0)

			began := time.Now()
			for range 100 {
				ctx, cancel := context.WithTimeout(s.Context(), time.Millisecond)
				// One that finds out may be answered before anybody looks at the clock.
				if err := one(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
					s.Errorf("a call with a millisecond left has %v", err)
				}
				cancel()
			}
			// An attempt takes 20 ms here, and never less. One a second finds out whether it still takes so long.
			s.untouched(c, before.Attempts, received, 2+int64(time.Since(began).Seconds()))
		},
		hold:  func(s *scene) {},
		check: func(s *scene) {},
	}
}

// untouched says that no attempts were made since, or so few.
func (s *scene) untouched(c *client, attempts map[string]int64, received, most int64) {
	s.Helper()
	made := int64(0)
	for outcome, n := range c.called().Attempts {
		made += n - attempts[outcome]
	}
	if got := s.all(func(is fleet.Status) int64 { return is.Received }) - received; got > most || made > most {
		s.Errorf("%d attempts were made, %d calls reached an instance, at most %d may", made, got, most)
	}
}
