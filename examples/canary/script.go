package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// step is what one step of the script did to the callers.
type step struct {
	Name   string  `json:"name"`
	OK     bool    `json:"ok"`
	Calls  int     `json:"calls"`
	Failed int     `json:"failed"`
	Share  float64 `json:"sharePercent"` // of v2
	Detail string  `json:"detail"`
}

// play is the script.
func (s *stage) play(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		s.toShare("before", 0), s.toShare("canary", 5), s.toShare("half", 50), s.refuse, s.toShare("full", 100), s.down, s.up, s.back,
	} {
		if err := part(ctx); err != nil {
			return err
		}
		if s.broken == "strict" && s.steps[len(s.steps)-1].Name == "down" {
			return nil // it has shown what it is for
		}
	}
	return nil
}

// toShare applies the document with a share of v2, in percent.
func (s *stage) toShare(name string, percent int) func(context.Context) error {
	return func(ctx context.Context) error {
		path, err := s.document(percent)
		if err != nil {
			return err
		}
		before := s.revision()
		begin := time.Now()
		if code, err := s.fairlead(ctx, "rules", "apply", path, "--reason", fmt.Sprintf("canary at %d %%", percent)); err != nil || code != 0 {
			return fmt.Errorf("rules apply ended with %d, %v", code, err)
		}
		return s.judge(ctx, name, begin, before, float64(percent))
	}
}

// refuse tries a document with mistakes.
func (s *stage) refuse(ctx context.Context) error {
	path, err := s.mistaken()
	if err != nil {
		return err
	}
	before, begin := s.revision(), time.Now()
	code, err := s.fairlead(ctx, "rules", "apply", path)
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	v := s.measure("refuse", begin, time.Now(), 50)
	if v.Detail = "the mistaken document was refused, and nothing changed"; code != 1 || s.revision() != before {
		v.OK, v.Detail = false, fmt.Sprintf("the mistaken document ended with %d, and the revision went from %d to %d", code, before, s.revision())
	}
	s.tell(v)
	return nil
}

// down kills all of v2, to which all calls go.
func (s *stage) down(ctx context.Context) error {
	s.say("killing all instances of v2")
	begin := time.Now()
	s.kill("v2")
	killed := time.Now()
	if err := s.wait(ctx); err != nil {
		return err
	}
	v := s.measure("down", begin, time.Now(), -1)
	after := s.measure("down", killed.Add(time.Second), time.Now(), 0)
	v.Share, v.OK = after.Share, v.OK && after.OK
	v.Detail = fmt.Sprintf("the fallback answered: %s", v.Detail)
	s.tell(v)
	return nil
}

// up starts v2 again.
func (s *stage) up(ctx context.Context) error {
	s.say("starting v2 again")
	begin := time.Now()
	if err := s.start("v2", 3); err != nil {
		return err
	}
	if err := s.until(ctx, "calls go to v2 again", 30*time.Second, func() bool {
		return s.measure("", time.Now().Add(-time.Second), time.Now().Add(-200*time.Millisecond), -1).Share > 99
	}); err != nil {
		return err
	}
	back := time.Since(begin)
	if err := s.wait(ctx); err != nil {
		return err
	}
	// Until their leases end, the killed ones are listed beside the new ones, and
	// the last attempt of a call that met two of them goes to v1.
	v := s.measure("up", begin.Add(back), time.Now(), -1)
	v.OK = v.OK && v.Share > 90
	v.Detail = fmt.Sprintf("v2 had its calls back after %.1f s: %s", back.Seconds(), v.Detail)
	s.tell(v)
	return nil
}

// back undoes it all: to what the first document said.
func (s *stage) back(ctx context.Context) error {
	before := s.revision()
	begin := time.Now()
	if code, err := s.fairlead(ctx, "rules", "rollback", service, "1", "--reason", "enough"); err != nil || code != 0 {
		return fmt.Errorf("rules rollback ended with %d, %v", code, err)
	}
	return s.judge(ctx, "back", begin, before, 0)
}

// judge waits until a new revision is in force and watches where calls go.
func (s *stage) judge(ctx context.Context, name string, begin time.Time, before int64, percent float64) error {
	if err := s.until(ctx, "the caller obeys", 6*time.Second, func() bool { return s.revision() != before }); err != nil {
		return err
	}
	inForce := time.Now()
	if err := s.wait(ctx); err != nil {
		return err
	}
	v := s.measure(name, inForce, time.Now(), percent)
	if all := s.measure(name, begin, time.Now(), -1); !all.OK { // no call failed on the way either
		v.OK, v.Failed, v.Detail = false, all.Failed, all.Detail
	}
	s.tell(v)
	return nil
}

func (s *stage) wait(ctx context.Context) error {
	select {
	case <-time.After(s.settle):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// measure looks where the calls of some time went: all answered, and a share of
// v2 that chance explains (five standard deviations). A negative percentage
// expects none in particular.
func (s *stage) measure(name string, from, to time.Time, percent float64) step {
	time.Sleep(20 * serviceTime) // for the last answers
	v := step{Name: name, OK: true}
	toV2 := 0
	for _, c := range s.load.between(from, to) {
		v.Calls++
		switch {
		case c.err != nil:
			if v.Failed++; v.Failed == 1 {
				v.Detail = c.err.Error()
			}
		case c.version == "v2":
			toV2++
		}
	}
	v.Share = 100 * float64(toV2) / float64(max(1, v.Calls-v.Failed))
	p := percent / 100
	allowed := 100 * 5 * math.Sqrt(p*(1-p)/float64(max(1, v.Calls)))
	switch {
	case v.Failed > 0:
		v.OK, v.Detail = false, fmt.Sprintf("%d of %d calls failed: %s", v.Failed, v.Calls, v.Detail)
	case float64(v.Calls) < to.Sub(from).Seconds()*rate:
		v.OK, v.Detail = false, fmt.Sprintf("only %d calls in %s: too few to judge", v.Calls, to.Sub(from))
	case percent >= 0 && math.Abs(v.Share-percent) > allowed:
		v.OK, v.Detail = false, fmt.Sprintf("%.2f %% went to v2, want %.0f ± %.2f", v.Share, percent, allowed)
	default:
		v.Detail = "no call failed"
	}
	return v
}

func (s *stage) tell(v step) {
	mark := "ok  "
	if !v.OK {
		mark = "FAIL"
	}
	s.say("  %s %-7s %5d calls, %d failed, %6.2f %% to v2: %s", mark, v.Name, v.Calls, v.Failed, v.Share, v.Detail)
	s.steps = append(s.steps, v)
}
