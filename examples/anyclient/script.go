package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// step is what one step of the script did to the callers.
type step struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Commands int64  `json:"commands"`
	Failed   int64  `json:"failed"`
	Detail   string `json:"detail"`
}

// play is the script. Beside its own condition each step demands that no
// command failed.
func (s *stage) play(ctx context.Context) error {
	for _, part := range []struct {
		name, announcement string
		do                 func(context.Context) (ok bool, detail string, err error)
	}{
		{"weight", "four instances; light has half the weight", s.weight},
		{"mistakes", "a caller sends commands that are wrong", s.mistakes},
		{"eject", "b answers LOADING", s.eject},
		{"readmit", "b is mended", s.readmit},
		{"refuse", "c closes its port and its connections", s.refuse},
	} {
		s.say("%s", part.announcement)
		sent, failed := s.load.sent.Load(), s.load.failed.Load()
		ok, detail, err := part.do(ctx)
		if err != nil {
			return err
		}
		v := step{part.name, ok, s.load.sent.Load() - sent, s.load.failed.Load() - failed, detail}
		v.OK = v.OK && v.Failed == 0 && (v.Commands > 0 || v.Name == "mistakes")
		mark := "ok  "
		if !v.OK {
			mark = "FAIL"
		}
		s.say("  %s %-8s %4d commands, %d failed: %s", mark, v.Name, v.Commands, v.Failed, v.Detail)
		s.steps = append(s.steps, v)
	}
	return nil
}

// weight looks at how commands are spread.
func (s *stage) weight(ctx context.Context) (bool, string, error) {
	n, err := s.during(ctx, 4*time.Second)
	if err != nil {
		return false, "", err
	}
	share := float64(n["light"]) / (float64(n["a"]+n["b"]+n["c"]) / 3)
	return share > 0.4 && share < 0.6, fmt.Sprintf("light had %.2f of what the others had", share), nil
}

// mistakes are answered with errors that are no fault of the instances.
func (s *stage) mistakes(ctx context.Context) (bool, string, error) {
	found := 0
	for range 50 {
		if _, err := s.client.Do(ctx, "GET"); err != nil {
			found++
		}
	}
	out := len(s.pool.View().Outages)
	return found == 50 && out == 0, fmt.Sprintf("%d errors were handed on, %d instances are passed over", found, out), ctx.Err()
}

// eject lets b fail until it is passed over.
func (s *stage) eject(ctx context.Context) (bool, string, error) {
	s.servers["b"].loading.Store(true)
	begin := time.Now()
	out := s.until(ctx, 3*time.Second, func() bool { _, out := s.outage("b"); return out })
	took := time.Since(begin)
	o, _ := s.outage("b")
	time.Sleep(20 * serviceTime) // commands that went there before have ended
	n, err := s.during(ctx, 3*time.Second)
	// One probe a second, and one more at either end.
	return out && o.Reason == balancer.ConsecutiveFailures && n["b"] <= 5 && n["a"] > 50,
		fmt.Sprintf("passed over after %d ms (%s); then it got %d probes in 3 s", took.Milliseconds(), o.Reason, n["b"]), err
}

// readmit mends b and watches its load grow.
func (s *stage) readmit(ctx context.Context) (bool, string, error) {
	_, wasOut := s.outage("b")
	s.servers["b"].loading.Store(false)
	begin := time.Now()
	back := s.until(ctx, 5*time.Second, func() bool { _, out := s.outage("b"); return !out })
	took := time.Since(begin)
	early, err := s.during(ctx, 700*time.Millisecond)
	if err != nil {
		return false, "", err
	}
	if _, err = s.during(ctx, 3300*time.Millisecond); err != nil {
		return false, "", err
	}
	late, err := s.during(ctx, 2*time.Second)
	first, last := early.share("b"), late.share("b")
	return wasOut && back && last > 0.12 && first < 0.7*last,
		fmt.Sprintf("back after %d ms by a probe; its share was %.0f %% at first, %.0f %% in the end", took.Milliseconds(), 100*first, 100*last), err
}

// refuse closes c, as if its process had ended.
func (s *stage) refuse(ctx context.Context) (bool, string, error) {
	s.servers["c"].close()
	begin := time.Now()
	out := s.until(ctx, 2*time.Second, func() bool { _, out := s.outage("c"); return out })
	took := time.Since(begin)
	o, _ := s.outage("c")
	n, err := s.during(ctx, 2*time.Second)
	return out && o.Reason == balancer.ConnectionRefused && n["c"] <= 1 && n["a"] > 50 && n["b"] > 50,
		fmt.Sprintf("passed over after %d ms (%s)", took.Milliseconds(), o.Reason), err
}

// share is the part of all commands that an instance answered.
func (c served) share(name string) float64 {
	var all int64
	for _, n := range c {
		all += n
	}
	return float64(c[name]) / float64(max(1, all))
}
