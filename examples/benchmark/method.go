package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// describe says how it is measured, and through which proxies.
func (p plan) describe(found *report.Report, trials []trial, m market) {
	found.Method = []string{
		fmt.Sprintf("Each lane was measured in %d rounds, with a fresh client process in each. The lanes of a round ran one after the other, in an order that changes. Ratios and differences are taken within a round; given are the median of the rounds and an interval that holds the true median with a confidence of %.1f %%.", p.pairs, 100*report.Confidence(p.pairs)),
		fmt.Sprintf("Throughput, CPU, memory and allocations are those of a closed loop of %v, after %v of warm-up: it keeps as many calls in flight as the concurrency says. CPU and memory (RSS) are those of all processes: clients, servers and proxies, which share the cores of one machine. Pages that the processes of a proxy share count in each.", p.duration, p.warmup),
		"Latencies are those of the closed loop: with all cores busy they are mostly queueing.",
		"The four instances share one process.",
	}
	if p.rate > 0 {
		found.Method[2] = fmt.Sprintf("Latencies are those of an open loop of %v, after %v of warm-up: calls arrive by a Poisson process, the same in all lanes of a round, at %.2g of what the base reached in a closed loop before the first round. They are timed from their arrival, whether they could begin then or not. A client has up to %d calls in flight for it, or as many as the concurrency says if that is more.", p.open, p.warmup, p.rate, scenario.Scenario{}.InFlight())
	}
	var kinds []string
	has := func(of func(*lane) bool) bool {
		return slices.ContainsFunc(trials, func(t trial) bool { return slices.ContainsFunc(t.lanes, of) })
	}
	if has(func(l *lane) bool { return l.clients > 1 && l.hops > 0 }) {
		found.Method = append(found.Method, "A central proxy serves four client processes with a quarter of the calls each, and is compared with four that have none (-x4). It is on the same machine: the way over a network to it and back is not in the figures.")
	}
	if slices.ContainsFunc(trials, func(t trial) bool { return t.Handler == "chain" }) {
		found.Method = append(found.Method, fmt.Sprintf("A chain is %d processes in a row, each of which calls the next as its lane does. It was measured three times as long.", hops))
	}
	for _, t := range trials {
		for _, l := range t.lanes {
			if l.hops == 0 {
				continue
			}
			k := m.kind(l.proxy)
			note := k.Note(t.Protocol)
			if i := slices.Index(kinds, k.Name); i < 0 {
				kinds = append(kinds, k.Name)
				found.Proxies = append(found.Proxies, report.Proxy{Name: k.Name, Version: k.Version, Note: note})
			} else if at := &found.Proxies[i]; note != "" && !strings.Contains(at.Note, note) {
				at.Note = strings.TrimPrefix(at.Note+"; "+note, "; ")
			}
		}
	}
}

// late says how exact the clients were.
func late(trials []trial, found *report.Report) {
	var all []time.Duration
	for _, t := range trials {
		for _, l := range t.lanes {
			for _, m := range l.Runs {
				if m.Rate > 0 {
					all = append(all, m.Late)
				}
			}
		}
	}
	if len(all) > 0 {
		slices.Sort(all)
		found.Method = append(found.Method, fmt.Sprintf("Of the calls for which a client was idle, 99 of 100 began within %v of their arrival, in the median run; that is part of their latency.", all[len(all)/2]))
	}
}
