package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
)

// busiest is how busy the machine may be before it is worth a warning.
const busiest = 0.1

// early are the warnings that there are before anything is measured.
func (p plan) early() (all []string) {
	if c := report.Confidence(p.pairs); c < 0.95 {
		all = append(all, fmt.Sprintf("%d pairs give intervals of %.0f %% only: 6 or more give 95 %%", p.pairs, 100*c))
	}
	if share, known := load.Busy(300 * time.Millisecond); known && share > busiest {
		all = append(all, fmt.Sprintf("the machine was %.0f %% busy before the first run: what else it does is in the figures", 100*share))
	}
	return all
}

// saturated warns of lanes that could not keep the rate; "" if all could.
func (t trial) saturated() string {
	var lanes []string
	cut := int64(0)
	for _, l := range t.lanes {
		runs := 0
		for _, m := range l.Runs {
			cut += m.Cut
			if m.Saturated {
				runs++
			}
		}
		if runs > 0 {
			lanes = append(lanes, fmt.Sprintf("%s (%d of %d rounds)", l.Name, runs, len(l.Runs)))
		}
	}
	if len(lanes) == 0 {
		return ""
	}
	w := fmt.Sprintf("%s: not all could keep the rate of arrivals: %s; their latencies grow with -open", t.Title(), strings.Join(lanes, ", "))
	if cut > 0 {
		w += fmt.Sprintf(", and %d calls that were given up would have taken longer than they count for", cut)
	}
	return w
}
