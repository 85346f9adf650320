package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// parse reads the command line. It complains to stderr by itself.
func parse(args []string, stderr io.Writer) (plan, error) {
	flags := flag.NewFlagSet("benchmark", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var p plan
	var given lists
	given.flags(flags)
	short := flags.Bool("quick", false, "what can be measured in two minutes, if no lists say otherwise")
	flags.IntVar(&p.pairs, "pairs", 10, "rounds; each gives one ratio per lane, and 6 or more give intervals of 95 %")
	flags.DurationVar(&p.warmup, "warmup", 80*time.Millisecond, "load before each measured time")
	flags.DurationVar(&p.duration, "duration", 300*time.Millisecond, "measured time of the closed loop in each run: throughput, CPU, memory")
	flags.DurationVar(&p.open, "open", 200*time.Millisecond, "measured time of the open loop in each run: latencies")
	flags.Float64Var(&p.rate, "rate", 0.3, "arrivals in the open loop, as a `share` of what the base reaches in the closed one; 0: latencies are those of the closed loop")
	flags.BoolVar(&p.json, "json", false, "end with one line of JSON")
	flags.StringVar(&p.out, "out", "", "write the report into this `folder`: HTML, CSV, JSON")
	flags.StringVar(&p.profiles, "profile", "", "write profiles of CPU and allocations of every client process into this `folder`; profiling costs CPU itself")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	measured := full()
	switch {
	case *short:
		measured = []lists{given.fill(quick())}
	case given != lists{}:
		measured = []lists{given}
	}
	var errs []error
	for _, l := range measured {
		c, err := l.cross()
		p.crosses = append(p.crosses, c)
		errs = append(errs, err)
	}
	errs = append(errs, p.validate())
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("argument %q: there are none", flags.Arg(0)))
	}
	err := errors.Join(errs...)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return p, err
}
