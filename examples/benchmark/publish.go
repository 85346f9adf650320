package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/internal/environment"
)

// busiest is how busy the machine may be before it is worth a warning.
const busiest = 0.1

// report is one without results, with what there is to say before there are some.
func (p plan) report() *report.Report {
	found := &report.Report{Environment: environment.Read("google.golang.org/grpc")}
	warn := func(format string, args ...any) {
		found.Warnings = append(found.Warnings, fmt.Sprintf(format, args...))
	}
	if c := report.Confidence(p.pairs); c < 0.95 {
		warn("%d pairs give intervals of %.0f %% only: 6 or more give 95 %%", p.pairs, 100*c)
	}
	if share, known := load.Busy(500 * time.Millisecond); known && share > busiest {
		warn("the machine was %.0f %% busy before the first run: what else it does is in the figures", 100*share)
	}
	return found
}

// publish prints what was found. The error is that of the measuring, if there was
// one, or else the first thing that went wrong since.
func (p plan) publish(found *report.Report, stdout io.Writer, measuring error) error {
	if measuring != nil {
		found.Warnings = append(found.Warnings, "not all was measured: "+measuring.Error())
	}
	return errors.Join(measuring, found.Print(stdout, p.json))
}

// reported are the lanes for the report.
func (t trial) reported() (lanes []*report.Lane) {
	for _, l := range t.lanes {
		lanes = append(lanes, &l.Lane)
	}
	return lanes
}
