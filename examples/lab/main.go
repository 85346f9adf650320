// Lab plays fleets of clients and instances on a virtual clock, in which the
// code of fairlead itself decides: whom a client calls, whom it passes over, what
// it tries again. So policies are compared and tuned for fleets that no test
// machine can hold.
//
//	go run ./examples/lab
//	go run ./examples/lab -scenario slow-one,gray -policy p2c-ewma,p2c-oracle -seeds 10
//	go run ./examples/lab -json -svg plots -html lab.html
//
// The same seed gives the same figures. Calls come at the same moments and bring
// the same work for all policies, so that they can be compared call by call.
//
// Beside the policies there are three bounds, which know how all instances are at
// every moment: shortest-queue, central-queue, and p2c-oracle, which draws two as
// policies do.
//
// Some scenarios have features that are played without and with, for the default
// policy or those that are asked for: budgets, attempt timeouts, retries, hedges,
// limits, and servers that stop when their caller has left. Attempts and
// executions are then those of each call at the last service of a chain, and the
// last column says how long after the trouble all was as before it.
//
// Columns: latencies are of calls that went well, with all their attempts.
// max÷mean is what the instance with the most calls got, of the mean. errors is
// the share of calls that failed in the end. bad share is what the instances that
// a scenario calls bad got, of a fair share. connections are the pairs of a client
// and an instance that it may call.
//
// A scenario is a file in internal/scenario; write your own in the same form.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/report"
	"github.com/fairlead-go/fairlead/examples/lab/internal/scenario"
	"github.com/fairlead-go/fairlead/internal/cputime"
)

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2) // parse has said why
	}
	if err := o.run(os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	scenarios []scenario.Scenario
	subjects  []subject
	asked     bool // for these subjects
	seeds     int
	seed      uint64
	json      bool
	list      bool
	svg, html string
}

const (
	mostSeeds   = 10_000 // what a night can do
	mostWorkers = 1000
)

// parse reads the command line. It complains to stderr by itself.
func parse(args []string, stderr io.Writer) (options, error) {
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o := options{}
	scenarios := flags.String("scenario", "", "`names` of scenarios, with commas between them; none: all")
	policies := flags.String("policy", "", "`names` of policies and bounds; none: all")
	work := flags.String("work", "", "a `file` of durations, one a line, that the work of all calls is drawn from")
	workers := flags.Int("workers", 0, "how many calls each instance works on at a time; 0: as the scenario says")
	flags.IntVar(&o.seeds, "seeds", 1, "how many seeds to play; more than one gives intervals")
	flags.Uint64Var(&o.seed, "seed", 1, "the first of them")
	flags.BoolVar(&o.json, "json", false, "end with one line of JSON")
	flags.BoolVar(&o.list, "list", false, "list scenarios and policies, and play nothing")
	flags.StringVar(&o.svg, "svg", "", "write plots into this `folder`")
	flags.StringVar(&o.html, "html", "", "write a page into this `file`")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	var errs [6]error
	o.scenarios, errs[0] = chosen("scenario", *scenarios, scenario.All(), func(s scenario.Scenario) string { return s.Name })
	o.subjects, errs[1] = chosen("policy", *policies, subjects(), func(s subject) string { return s.name })
	o.asked = *policies != ""
	if o.seeds < 1 || o.seeds > mostSeeds {
		errs[2] = fmt.Errorf("-seeds %d: allowed are 1 to %d", o.seeds, mostSeeds)
	}
	if flags.NArg() > 0 {
		errs[3] = fmt.Errorf("argument %q: there are none", flags.Arg(0))
	}
	if *workers < 0 || *workers > mostWorkers {
		errs[5] = fmt.Errorf("-workers %d: allowed are 0 (as the scenario says) to %d", *workers, mostWorkers)
	} else if *workers > 0 {
		o.employ(*workers)
	}
	if *work != "" {
		errs[4] = o.record(*work)
	}
	err := errors.Join(errs[:]...)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return o, err
}

// chosen returns those of all whose names are on a list, in its order.
func chosen[T any](flag, list string, all []T, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	var some []T
	for one := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == one })
		if i < 0 {
			var names []string
			for _, t := range all {
				names = append(names, name(t))
			}
			return nil, fmt.Errorf("-%s %q: allowed are %s", flag, one, strings.Join(names, ", "))
		}
		some = append(some, all[i])
	}
	return some, nil
}

// run plays what is asked for and shows it.
func (o *options) run(stdout, stderr io.Writer) error {
	if o.list {
		return o.print(stdout)
	}
	began, used, calls := time.Now(), cputime.Used(), int64(0)
	rows, err := o.play(stderr, &calls)
	if err != nil {
		return err
	}
	arms, err := o.arms(&calls)
	if err != nil {
		return err
	}
	trials, err := o.trials(&calls)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "seeds %d to %d; %.1f million calls in %.1f s, of CPU %.1f s\n", o.seed, o.seed+uint64(o.seeds)-1, float64(calls)/1e6,
		time.Since(began).Seconds(), (cputime.Used() - used).Seconds())
	if err := report.Table(stdout, rows); err != nil {
		return err
	}
	if err := report.ArmTable(stdout, arms); err != nil {
		return err
	}
	if err := report.TrialTable(stdout, trials); err != nil {
		return err
	}
	if o.svg != "" {
		if err := errors.Join(report.SVG(o.svg, rows), report.ArmSVG(o.svg, arms), report.TrialSVG(o.svg, trials)); err != nil {
			return fmt.Errorf("-svg: %w", err)
		}
	}
	if o.html != "" {
		if err := report.HTML(o.html, rows, arms, trials); err != nil {
			return fmt.Errorf("-html: %w", err)
		}
	}
	if o.json {
		return report.JSON(stdout, rows, arms, trials)
	}
	return nil
}

// print lists what there is to choose from.
func (o *options) print(stdout io.Writer) error {
	for _, s := range o.scenarios {
		fmt.Fprintf(stdout, "%-16s%s\n", s.Name, s.About)
	}
	fmt.Fprintln(stdout)
	for _, s := range o.subjects {
		fmt.Fprintln(stdout, s.name)
	}
	return nil
}
