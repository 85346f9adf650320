package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// method says how it is measured.
func (p plan) method(trials []trial) []string {
	all := []string{
		fmt.Sprintf("Each lane is measured in %d rounds, with a fresh client process in each. The lanes of a round run one after the other, in an order that changes. Ratios and differences are taken within a round; given are the median of the rounds and an interval that holds the true median with a confidence of %.1f %%.", p.pairs, 100*report.Confidence(p.pairs)),
		fmt.Sprintf("Throughput, CPU, memory and allocations are those of a closed loop of %v, after %v of warm-up: it keeps as many calls in flight as the concurrency says. CPU and memory (RSS) are those of all processes: clients, servers and proxies, which share the cores of one machine. Pages that processes of a proxy share count in each.", p.duration, p.warmup),
	}
	if p.rate > 0 {
		all = append(all, fmt.Sprintf("Latencies are those of an open loop of %v, after %v of warm-up: calls arrive by a Poisson process, the same in all lanes of a round, at %.2g of what the base reached in a closed loop before the first round. They are timed from their arrival, whether they can begin then or not. A client has up to %d calls in flight for it, or as many as the concurrency says if that is more.", p.open, p.warmup, p.rate, scenario.Scenario{}.InFlight()))
	} else {
		all = append(all, "Latencies are those of the closed loop: with all cores busy they are mostly queueing.")
	}
	all = append(all, "The four instances share one process, as those of a hop of a chain do.")
	if slices.ContainsFunc(trials, func(t trial) bool { return t.Handler == scenario.Chain }) {
		all = append(all, fmt.Sprintf("A chain is %d hops in a row, each of which calls the next as its lane does. It is measured three times as long.", hops))
	}
	if slices.ContainsFunc(trials, func(t trial) bool { return slices.ContainsFunc(t.lanes, (*lane).central) }) {
		all = append(all, "A central proxy has four client processes with a quarter of the calls each, and is compared with four that have no proxy (-x4). It is on the same machine: the way over a network to it and back is not in the figures.")
	}
	return all
}

func (l *lane) central() bool { return l.hops > 0 && l.clients > 1 }

// exactness says how exact the clients were, or nothing where there was no open
// loop.
func exactness(trials []trial) []string {
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
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return []string{fmt.Sprintf("Of the calls that an idle client waited for, 99 of 100 began within %v of their arrival, in the median run; that is part of their latency.", all[len(all)/2])}
}

// proxiesOf are those that take part, with what they do in another way than the
// rest.
func (m market) proxiesOf(trials []trial) (all []report.Proxy) {
	for _, t := range trials {
		for _, l := range t.lanes {
			if l.hops == 0 {
				continue
			}
			k := m.kind(l.proxy)
			i := slices.IndexFunc(all, func(p report.Proxy) bool { return p.Name == k.Name })
			if i < 0 {
				i = len(all)
				all = append(all, report.Proxy{Name: k.Name, Version: k.Version})
			}
			if note := k.Note(t.Protocol); !strings.Contains(all[i].Note, note) {
				all[i].Note = strings.TrimPrefix(all[i].Note+"; "+t.Protocol+": "+note, "; ")
			}
		}
	}
	return all
}
