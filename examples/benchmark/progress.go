package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells how far the benchmark is: in one line that changes on a terminal,
// elsewhere in a line from time to time.
type progress struct {
	to       io.Writer
	terminal bool
	plan     plan
	trials   int
	planned  time.Duration // of all

	begun, told time.Time
	trial       int           // the one that runs, from 1
	past        time.Duration // planned for what was done
	width       int           // of the last line
}

// rarely is how often progress is told where each time is a line more.
const rarely = 15 * time.Second

// newProgress tells how long it will take.
func newProgress(to io.Writer, p plan, trials []trial) *progress {
	tell := &progress{to: to, plan: p, trials: len(trials), begun: time.Now()}
	lanes := 0
	for _, t := range trials {
		lanes += len(t.lanes)
		tell.planned += p.takes(t)
	}
	if f, ok := to.(*os.File); ok {
		info, err := f.Stat()
		tell.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	fmt.Fprintf(to, "%d scenarios with %d lanes, %d rounds: about %v\n", len(trials), lanes, p.pairs, tell.planned.Round(time.Second))
	return tell
}

// begins tells of a trial.
func (p *progress) begins(t trial) {
	p.trial++
	p.told = time.Time{}
	p.tell(t, 0)
}

// ran tells of a run that ended.
func (p *progress) ran(t trial, round int) {
	p.past += p.plan.takes(t) / time.Duration(p.plan.pairs*len(t.lanes))
	p.tell(t, round)
}

// ended leaves the line for what else is to be said.
func (p *progress) ended() {
	if p.terminal {
		fmt.Fprintln(p.to)
	}
}

func (p *progress) tell(t trial, round int) {
	if !p.terminal && time.Since(p.told) < rarely {
		return
	}
	p.told = time.Now()
	elapsed := time.Since(p.begun)
	line := fmt.Sprintf("%d of %d: %s, %d lanes, round %d of %d; %v elapsed, about %v left", p.trial, p.trials, t.Title(), len(t.lanes),
		round+1, p.plan.pairs, elapsed.Round(time.Second), p.left(elapsed).Round(time.Second))
	if !p.terminal {
		fmt.Fprintln(p.to, line)
		return
	}
	fmt.Fprintf(p.to, "\r%-*s", p.width, line)
	p.width = len(line)
}

// left goes by what was planned and, more and more, by what that took so far.
func (p *progress) left(elapsed time.Duration) time.Duration {
	const trusted = 10 * time.Second // the plan counts as much as so long a time
	pace := float64(elapsed+trusted) / float64(p.past+trusted)
	return time.Duration(pace * float64(p.planned-p.past))
}
