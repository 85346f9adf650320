package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// display prints what happens: one line a second and door, and what the script
// says in between. Where it may, it keeps the newest lines in place.
type display struct {
	mu    sync.Mutex // one writer at a time
	out   io.Writer
	begin time.Time
	live  bool // redraw the table in place
	drawn int  // lines of the table that stand at the bottom
}

func newDisplay(out io.Writer, live bool) *display {
	return &display{out: out, begin: time.Now(), live: live && isTerminal(out)}
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (d *display) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.eraseLocked()
	fmt.Fprintf(d.out, "%s  %s\n", d.clock(), fmt.Sprintf(format, args...))
}

func (d *display) verdict(v verdict) {
	mark := "ok  "
	if !v.OK {
		mark = "FAIL"
	}
	d.say("  %s %-4s %5d calls, %d failed, %d executions: %s", mark, v.Protocol, v.Calls, v.Failed, v.Executions, v.Detail)
}

// follow prints the table every second until ctx is done.
func (d *display) follow(ctx context.Context, s *stage) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.table(s)
		case <-ctx.Done():
			return
		}
	}
}

func (d *display) table(s *stage) {
	// The second before last: its calls have ended.
	to := time.Now().Add(-500 * time.Millisecond)
	var lines []string
	for _, door := range s.doors {
		lines = append(lines, row(door, door.between(to.Add(-time.Second), to), s.dump(door.service).State.String()))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.eraseLocked()
	for _, line := range lines {
		fmt.Fprintf(d.out, "%s  %s\n", d.clock(), line)
	}
	if d.live {
		d.drawn = len(lines)
	}
}

func row(d *door, calls []called, list string) string {
	if len(calls) == 0 {
		return fmt.Sprintf("  %-4s no calls yet", d.protocol)
	}
	var took []time.Duration
	share := map[string]int{}
	ok := 0
	for _, c := range calls {
		took = append(took, c.took)
		if c.err == nil {
			ok++
			share[c.instance]++
		}
	}
	slices.Sort(took)
	var shares []string
	for _, id := range slices.Sorted(maps.Keys(share)) {
		name := id[:strings.LastIndex(id, "-")]
		shares = append(shares, fmt.Sprintf("%s %d%%", name, 100*share[id]/max(1, ok)))
	}
	return fmt.Sprintf("  %-4s %3d rps  %5.1f%% ok  p50 %3d ms  p99 %3d ms  list %-5s  %s", d.protocol, len(calls),
		100*float64(ok)/float64(len(calls)), took[len(took)/2].Milliseconds(), took[len(took)*99/100].Milliseconds(), list, strings.Join(shares, "  "))
}

func (d *display) eraseLocked() {
	for ; d.drawn > 0; d.drawn-- {
		fmt.Fprint(d.out, "\x1b[1A\x1b[2K")
	}
}

func (d *display) clock() string { return fmt.Sprintf("%5.1fs", time.Since(d.begin).Seconds()) }
