package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// stage is where the script is played, and told.
type stage struct {
	out     io.Writer
	verbose bool
	begin   time.Time
	steps   []step
}

func newStage(out io.Writer, verbose bool) *stage {
	return &stage{out: out, verbose: verbose, begin: time.Now()}
}

// play plays the script without limits and with them, and judges. A machine that has
// much else to do may have spoilt a run: what fails with limits has a second chance.
func (s *stage) play(ctx context.Context, folder string) error {
	s.say("%d servers with %d workers each, %s a call: %d calls a second; calls have %s", servers, workers, serviceTime, capacity, callTimeout)
	s.say("WITHOUT limits: %g times that for %s", phases[flood].load, phases[flood].long)
	without, err := s.run(ctx, false)
	if err != nil {
		return err
	}
	var with *run
	var verdicts []step
	for range 2 {
		s.say("WITH limits: the same calls")
		if with, err = s.run(ctx, true); err != nil {
			return err
		}
		if verdicts = judge(with.figures()); good(verdicts) {
			break
		}
		s.say("not as promised: once more, since the machine may have been busy")
	}
	s.verdict(collapsed(without.figures()))
	for _, v := range verdicts {
		s.verdict(v)
	}
	if folder == "" {
		if folder, err = os.MkdirTemp("", "fairlead-overload-"); err != nil {
			return err
		}
	}
	path, err := draw(folder, without, with)
	if err != nil {
		return err
	}
	s.say("plots: %s", path)
	return nil
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%5.1fs  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}

// tell says how the calls of a second ended. It is one whose calls have all ended.
func (s *stage) tell(r *run) {
	to := time.Since(r.begin).Truncate(time.Second) - callTimeout - 200*time.Millisecond
	t := r.between(to-time.Second, to)
	if t.all == 0 {
		return
	}
	now := phases[after].name
	for is := range phases {
		if from, end := span(is); to > from && to <= end {
			now = phases[is].name
		}
	}
	at := r.during(to-time.Second, to)
	p99 := "-"
	if t.ends[answered] > 0 {
		p99 = fmt.Sprintf("%.0f", milliseconds(quantile(t.answers, 0.99)))
	}
	var line strings.Builder
	line.WriteString(fmt.Sprintf("  %-5s %4d calls/s: %4d answered", now, t.all, t.ends[answered]))
	if r.limits {
		line.WriteString(fmt.Sprintf(", %4d not sent, %3d refused", t.ends[withheld], t.ends[refused]))
	}
	line.WriteString(fmt.Sprintf(", %4d late;", t.ends[late]))
	for k, kind := range kinds {
		line.WriteString(fmt.Sprintf(" %s %3.0f %%", kind.priority, 100*t.share(k)))
	}
	line.WriteString(fmt.Sprintf("; p99 %4s ms; %5d in hand", p99, at.inHand))
	if r.limits {
		line.WriteString(fmt.Sprintf(", pressure %.2f", at.pressure))
	}
	s.say("%s", line.String())
}

func (s *stage) verdict(v step) {
	mark := "ok  "
	if !v.OK {
		mark = "FAIL"
	}
	s.say("%s %-9s %s", mark, v.Name, v.Detail)
	s.steps = append(s.steps, v)
}
