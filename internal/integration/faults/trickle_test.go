package faults_test

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

// trickling: a body that comes slowly and in time is no attempt that takes too
// long: its answer is there.
var trickling = row{
	number: 24, fault: "slow trickle body",
	setup: func(s *scene) {
		s.twoBehind()
		s.rule(document(`"retries":{"perTryTimeout":"1s","retryOn":["timeout"]}`))
	},
	inject: func(s *scene) {
		c := s.client()
		s.withRule(c)
		s.victimLink.Slice(16<<10, 50*time.Millisecond)
		slow := 0
		for range 4 {
			ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
			began := time.Now()
			resp, err := c.do(ctx, http.MethodGet, "/?"+fleet.SizeParameter+"=1048576", nil)
			if err != nil {
				s.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			cancel()
			if err != nil || n != 1<<20 {
				s.Errorf("%d bytes came after %s, and %v", n, time.Since(began), err)
			}
			if time.Since(began) > 2*time.Second { // 64 pieces take 3.2 s
				slow++
			}
		}
		seen := c.called()
		if slow != 2 || seen.Retries != 0 || seen.Attempts["success"] != 4 {
			s.Errorf("%d bodies came slowly, %d attempts were made again, and as %v; want 2, none, and 4 successes", slow, seen.Retries, seen.Attempts)
		}
		// What the timeout is for: no answer at all.
		s.victimLink.Blackhole()
		for range 4 {
			if err := c.get(s.Context()); err != nil {
				s.Errorf("one of two instances is silent: %v", err)
			}
		}
		if n := c.called().Retries; n == 0 {
			s.Error("no attempt to the silent was made again: the timeout does not hold")
		}
	},
	hold:  func(s *scene) {},
	check: func(s *scene) {},
}
