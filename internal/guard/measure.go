package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/internal/cputime"
)

// rounds are how many pairs are run at first, and how many more, twice, of what
// would fail: a neighbour's noise is gone by then, a regression is not.
var rounds = []int{5, 10, 20}

// measurement is what was found of a limit.
type measurement struct {
	limit
	samples []float64
}

// skipped says why nothing is measured; "" if it is.
func (m *measurement) skipped() string {
	if have := runtime.NumCPU(); have < m.cpus {
		return fmt.Sprintf("needs %d processors, there are %d", m.cpus, have)
	}
	return ""
}

// value is what counts of the samples.
//
// Of ratios it is the median. Noise can only slow a side down, so that the least
// ratio is the one whose counterpart was disturbed most, and would let regressions
// pass; the mean is whatever the worst pair says. A pair runs within a fraction of
// a second, so that what slows both sides for longer, such as another clock of the
// processor, is not in its ratio at all; and the pairs of a benchmark are apart in
// time, since all others have a pair in between, so that what disturbs one seldom
// disturbs most.
//
// Of allocations it is the least: others' can only be counted with them.
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
	switch {
	case m.kind == allocs:
		return strconv.FormatFloat(m.most-m.value(), 'f', -1, 64)
	default:
		return fmt.Sprintf("%.0f%%", (m.most/m.value()-1)*100)
	}
}

// meter runs benchmarks.
type meter struct {
	run    runner
	time   time.Duration // that a run of a benchmark takes
	counts map[side]int  // of operations that take so long
}

// side is one benchmark of a pair.
type side struct {
	pkg, benchmark string
	cpus           int
}

// measure takes samples of all, and then more of those that would fail.
func (g *meter) measure(ctx context.Context, all []*measurement) error {
	for _, pairs := range rounds {
		for n := range pairs {
			for _, m := range all {
				if m.kind == allocs && n > 0 {
					continue
				}
				sample, err := g.sample(ctx, m.limit, n%2 == 1)
				if err != nil {
					return err
				}
				m.samples = append(m.samples, sample)
			}
		}
		all = slices.DeleteFunc(slices.Clone(all), (*measurement).holds)
	}
	return nil
}

// sample runs both sides, one or the other first.
func (g *meter) sample(ctx context.Context, l limit, reverse bool) (float64, error) {
	sides := l.benchmarks()
	times := make([]float64, len(sides))
	for i := range sides {
		if reverse {
			i = len(sides) - 1 - i
		}
		r, err := g.result(ctx, side{l.pkg, sides[i], l.cpus})
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", l.line, err)
		}
		if l.kind == allocs {
			return r.allocs, nil
		}
		times[i] = r.time
	}
	bound := 0.0
	for _, t := range times[1:] {
		bound += t
	}
	return times[0] / bound, nil
}

// result runs a benchmark for as many operations as take the time by a first try, and
// not by time: then it would begin several times, and what it begins with may be long.
func (g *meter) result(ctx context.Context, s side) (result, error) {
	if g.counts[s] == 0 {
		r, err := g.once(ctx, s, (g.time / 5).String())
		if err != nil {
			return r, err
		}
		g.counts[s] = max(1, int(float64(g.time)/r.time))
	}
	return g.once(ctx, s, fmt.Sprintf("%dx", g.counts[s]))
}

func (g *meter) once(ctx context.Context, s side, benchtime string) (result, error) {
	match, deeper := only(s.benchmark)
	out, err := g.run(ctx, s.pkg, s.cpus, benchtime, match, deeper)
	if err != nil {
		return result{}, err
	}
	r, ok := results(out, s.cpus)[s.benchmark]
	if !ok {
		return r, fmt.Errorf("%s has no benchmark %s, or it has no result:\n%s", s.pkg, s.benchmark, out)
	}
	if r.time <= 0 {
		return r, fmt.Errorf("%s %s prints no %s: it has to call cputime.Start", s.pkg, s.benchmark, cputime.Unit)
	}
	return r, nil
}
