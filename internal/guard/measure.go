package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/internal/cputime"
)

// rounds are how many there are at first, and how many more, twice, of what would
// fail: a neighbour's noise is gone by then, and a regression is not.
var rounds = []int{5, 10, 20}

// mostOperations end the search for how many take long enough.
const mostOperations = 1e9

// measurement is what was found of a limit, a sample in each round.
type measurement struct {
	limit
	samples []float64
}

// value is what counts of the samples.
//
// Of ratios it is the median. Noise can only slow a side down, so that the least
// ratio is that whose counterpart was disturbed most, and would let regressions
// pass; the mean is whatever the worst says. The sides of a sample run within one
// round, so that what slows all of them for longer, such as a neighbour that has
// the cache, is in no ratio; and the samples are a round apart, so that what is
// over sooner is in few of them.
//
// Of allocations it is the least, since there can only be others' with them.
func (m *measurement) value() float64 {
	sorted := slices.Sorted(slices.Values(m.samples))
	if m.kind == allocs {
		return sorted[0]
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// holds is false of what is no number, too.
func (m *measurement) holds() bool { return m.value() <= m.most }

// headroom is by how much the value could grow.
func (m *measurement) headroom() string {
	if m.kind == allocs {
		return strconv.FormatFloat(m.most-m.value(), 'f', -1, 64)
	}
	return fmt.Sprintf("%.0f%%", (m.most/m.value()-1)*100)
}

// meter runs benchmarks.
type meter struct {
	run    runner
	time   time.Duration // of the processor, that a benchmark takes in a round
	counts map[side]int  // of operations that take so long
}

// side is one benchmark of a ratio. Several ratios may have it.
type side struct {
	pkg, benchmark string
	cpus           int
}

// measure takes samples of all, and then more of those that would fail.
func (g *meter) measure(ctx context.Context, all []*measurement) error {
	for _, n := range rounds {
		for i := range n {
			if err := g.round(ctx, all, i%2 == 1); err != nil {
				return err
			}
		}
		all = slices.DeleteFunc(slices.Clone(all), (*measurement).holds)
	}
	return nil
}

// round takes one sample of all: it runs the benchmarks in their order, each once,
// or in the opposite order, so that none profits from coming first or last.
func (g *meter) round(ctx context.Context, all []*measurement, backwards bool) error {
	order := slices.Clone(all)
	if backwards {
		slices.Reverse(order)
	}
	ran := map[side]result{}
	for _, m := range order {
		names := m.benchmarks()
		if backwards {
			slices.Reverse(names)
		}
		for _, name := range names {
			s := side{m.pkg, name, m.cpus}
			if _, again := ran[s]; again {
				continue
			}
			r, err := g.result(ctx, s)
			if err != nil {
				return fmt.Errorf("line %d: %w", m.line, err)
			}
			ran[s] = r
		}
	}
	for _, m := range all {
		m.samples = append(m.samples, m.sample(ran))
	}
	return nil
}

func (m *measurement) sample(ran map[side]result) float64 {
	limited := ran[side{m.pkg, m.benchmark, m.cpus}]
	if m.kind == allocs {
		return limited.allocs
	}
	bound := 0.0
	for _, name := range m.against {
		bound += ran[side{m.pkg, name, m.cpus}].time
	}
	return limited.time / bound
}

// result runs a benchmark for as many operations as take the time, and not by time:
// then it would begin several times, and what it begins with may be long. How many
// these are stays as it is once it is found, and grows where a run was short: what
// they were found by was disturbed.
func (g *meter) result(ctx context.Context, s side) (result, error) {
	if g.counts[s] == 0 {
		// A try by time is a good guess.
		r, err := g.once(ctx, s, (g.time / 5).String())
		if err != nil {
			return r, err
		}
		g.counts[s] = operations(g.time, r, 1)
	}
	for {
		n := g.counts[s]
		r, err := g.once(ctx, s, strconv.Itoa(n)+"x")
		if err != nil || r.time*float64(n) >= float64(g.time)/2 || n == mostOperations {
			return r, err
		}
		g.counts[s] = operations(g.time, r, n)
	}
}

// operations is how many take so long, and more than twice those that did not.
func operations(t time.Duration, of result, short int) int {
	return int(min(max(2*float64(short), float64(t)/of.time), mostOperations))
}

func (g *meter) once(ctx context.Context, s side, benchtime string) (result, error) {
	match, deeper := only(s.benchmark)
	out, err := g.run(ctx, s.pkg, s.cpus, match, deeper, benchtime)
	if err != nil {
		return result{}, err
	}
	r, ok := results(out, s.cpus)[s.benchmark]
	if !ok {
		return r, fmt.Errorf("%s has no benchmark %s, or it has no result:\n%s", s.pkg, s.benchmark, out)
	}
	if !(r.time > 0) {
		return r, fmt.Errorf("%s: %s prints no %s: it has to call cputime.Start", s.pkg, s.benchmark, cputime.Unit)
	}
	return r, nil
}
