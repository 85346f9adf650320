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
	to        io.Writer
	terminal  bool
	trials    int
	rounds    int
	runs      int           // of all trials
	planned   time.Duration // of a run
	trial     int           // from 1
	done      int           // runs
	begun     time.Time
	told      time.Time
	lastWidth int
}

// rarely is how often progress is told where each time is a line more.
const rarely = 15 * time.Second

func newProgress(to io.Writer, p plan, trials []trial) *progress {
	tell := &progress{to: to, trials: len(trials), rounds: p.pairs, planned: p.run(), begun: time.Now()}
	for _, t := range trials {
		tell.runs += p.pairs * len(t.lanes)
	}
	if f, ok := to.(*os.File); ok {
		info, err := f.Stat()
		tell.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
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
	p.done++
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
	line := fmt.Sprintf("%d of %d: %s, %d lanes, round %d of %d; %v elapsed, about %v left", p.trial, p.trials, t.Title(), len(t.lanes),
		round+1, p.rounds, time.Since(p.begun).Round(time.Second), p.left().Round(time.Second))
	if p.terminal {
		fmt.Fprintf(p.to, "\r%-*s", p.lastWidth, line)
		p.lastWidth = len(line)
		return
	}
	fmt.Fprintln(p.to, line)
}

// left goes by what the runs so far took, once there are some.
func (p *progress) left() time.Duration {
	each := p.planned
	if p.done > 9 {
		each = time.Since(p.begun) / time.Duration(p.done)
	}
	return each * time.Duration(p.runs-p.done)
}
