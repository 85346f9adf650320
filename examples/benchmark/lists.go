package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// lists are the flags that say what is measured, as they are on the command line.
// Empty ones are those of [centre].
type lists struct{ protocol, payload, concurrency, handler, deadline, variants string }

// cross is what lists say: scenarios of every combination, with the same ways in each.
type cross struct {
	scenarios []scenario.Scenario
	ways      []way
}

// centre is where the full plan starts from in all directions.
func centre() lists {
	return lists{protocol: "http1,grpc", payload: "128", concurrency: "16", handler: scenario.Thin, deadline: scenario.None,
		variants: "plain,round-robin,otel,usual-stack,fairlead-off,fairlead-metrics,fairlead-full,fairlead-all,fairlead-critical,sidecar"}
}

// flags lets the command line change the lists.
func (l *lists) flags(to *flag.FlagSet) {
	c := centre()
	for _, f := range []struct {
		at               *string
		name, says, mean string
	}{
		{&l.protocol, "protocol", "`list` of protocols: http1, http2, grpc, grpc-stream", c.protocol},
		{&l.payload, "payload", "`list` of the bytes of each request and each answer", c.payload},
		{&l.concurrency, "concurrency", "`list` of calls in flight", c.concurrency},
		{&l.handler, "handler", "`list` of what servers do: thin, heavy, chain", c.handler},
		{&l.deadline, "deadline", "`list` of the times of each call, or none", c.deadline},
		{&l.variants, "variants", "`list` of lanes: " + waysAllowed(), c.variants},
	} {
		to.StringVar(f.at, f.name, *f.at, f.says+fmt.Sprintf(" (%s where only other lists are given; without any, the full plan)", f.mean))
	}
}

// fill takes the lists that are empty from others.
func (l lists) fill(from lists) lists {
	return lists{
		protocol: cmp.Or(l.protocol, from.protocol), payload: cmp.Or(l.payload, from.payload), concurrency: cmp.Or(l.concurrency, from.concurrency),
		handler: cmp.Or(l.handler, from.handler), deadline: cmp.Or(l.deadline, from.deadline), variants: cmp.Or(l.variants, from.variants),
	}
}

// cross reads the lists.
func (l lists) cross() (cross, error) {
	l = l.fill(centre())
	var errs [6]error
	var c cross
	c.ways, errs[0] = read("variants", l.variants, waysAllowed(), parseWay)
	protocols, err := read("protocol", l.protocol, "http1, http2, grpc, grpc-stream", oneOf(scenario.HTTP1, scenario.HTTP2, scenario.GRPC, scenario.GRPCStream))
	errs[1] = err
	payloads, err := read("payload", l.payload, "whole numbers from 1 to 1048576", wholeUpTo(1<<20))
	errs[2] = err
	concurrencies, err := read("concurrency", l.concurrency, "whole numbers from 1 to 4096", wholeUpTo(4096))
	errs[3] = err
	handlers, err := read("handler", l.handler, "thin, heavy, chain", oneOf(scenario.Thin, scenario.Heavy, scenario.Chain))
	errs[4] = err
	deadlines, err := read("deadline", l.deadline, "none and durations of at least a millisecond, such as 1s", deadline)
	errs[5] = err
	for _, h := range handlers {
		for _, d := range deadlines {
			for _, p := range protocols {
				for _, b := range payloads {
					for _, n := range concurrencies {
						c.scenarios = append(c.scenarios, scenario.Scenario{Protocol: p, Payload: b, Concurrency: n, Handler: h, Deadline: d})
					}
				}
			}
		}
	}
	return c, errors.Join(errs[:]...)
}

// read reads a list with commas. What is twice in it counts once.
func read[T comparable](flag, list, allowed string, parse func(string) (T, bool)) (all []T, err error) {
	for field := range strings.SplitSeq(list, ",") {
		v, ok := parse(field)
		if !ok {
			return nil, fmt.Errorf("-%s %q: allowed are %s", flag, field, allowed)
		}
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all, nil
}

func oneOf(allowed ...string) func(string) (string, bool) {
	return func(s string) (string, bool) { return s, slices.Contains(allowed, s) }
}

func wholeUpTo(most int) func(string) (int, bool) {
	return func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && n >= 1 && n <= most
	}
}

func deadline(s string) (string, bool) {
	d, err := time.ParseDuration(s)
	return s, s == scenario.None || err == nil && d >= time.Millisecond
}
