// Package report says what a benchmark found: rows, and how they compare.
package report

import (
	"cmp"
	"fmt"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/internal/environment"
)

// Report is what the benchmark found; with -json its last line.
type Report struct {
	Rows   []Row        `json:"rows"`
	Ratios []Comparison `json:"ratios"` // to the base
	// Added is the CPU that a request costs more than with the base, in microseconds.
	Added []Comparison `json:"added"`
	// Pairwise are the ratios of the CPU of a request of any two lanes, in one of both
	// directions.
	Pairwise    []Comparison            `json:"pairwise"`
	Environment environment.Environment `json:"environment"`
	Proxies     []Proxy                 `json:"proxies"`
	Method      []string                `json:"method"` // how it was measured, in sentences
	Warnings    []string                `json:"warnings"`

	groups []group
}

// Proxy is one that took part.
type Proxy struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Note    string `json:"note"` // what a reader has to know of it
}

// Add adds the rows and ratios of a scenario; the first lane is the base of those
// that name no other.
func (r *Report) Add(s scenario.Scenario, lanes []*Lane) {
	g := group{Scenario: s, lanes: lanes}
	for _, l := range lanes {
		g.rows = append(g.rows, rowOf(s, l))
		r.failures(s, l)
		switch base := baseOf(l, lanes); base {
		case nil:
			r.warn(s, "%s is compared with nothing: there is no lane %q here", l.Name, l.Base)
		case l:
		default:
			r.compare(&g, l, base)
		}
	}
	g.pair()
	r.wide(&g)
	r.groups = append(r.groups, g)
	r.Rows = append(r.Rows, g.rows...)
	r.Ratios = append(r.Ratios, g.ratios...)
	r.Added = append(r.Added, g.added...)
	r.Pairwise = append(r.Pairwise, g.pairwise...)
}

// compare compares a lane with its base, by all figures.
func (r *Report) compare(g *group, l, base *Lane) {
	of := Comparison{Variant: l.Name, Base: base.Name, Scenario: g.Scenario}
	for i, f := range figures() {
		var known bool
		of.Metric = f.metric
		if of.Estimate, known = compare(l.Runs, base.Runs, f.of, ratio); !known {
			r.warn(g.Scenario, "%s: no ratio of %s, it is not known of each round", l.Name, f.title)
			continue
		}
		g.ratios = append(g.ratios, of)
		if l.Name == Again && f.widest > 0 && of.Confidence >= 0.95 && (of.Low > 1 || of.High < 1) {
			r.warn(g.Scenario, "%s: the base differs from itself by %s [%.3f, %.3f]; one in twenty does so by chance, but a difference of this size says nothing here", f.title, l.Name, of.Low, of.High)
		}
		if i == 0 {
			of.Estimate, _ = compare(l.Runs, base.Runs, f.of, difference)
			g.added = append(g.added, of)
		}
	}
}

// pair compares the CPU of all lanes with that of those after them.
func (g *group) pair() {
	decides := figures()[0]
	for i, l := range g.lanes {
		for _, other := range g.lanes[i+1:] {
			if e, known := compare(l.Runs, other.Runs, decides.of, ratio); known {
				g.pairwise = append(g.pairwise, Comparison{Variant: l.Name, Base: other.Name, Scenario: g.Scenario, Metric: decides.metric, Estimate: e})
			}
		}
	}
}

func (r *Report) failures(s scenario.Scenario, l *Lane) {
	failed, first := int64(0), ""
	for _, m := range l.Runs {
		failed += m.Errors
		first = cmp.Or(first, m.FirstError)
	}
	if failed > 0 {
		r.warn(s, "%s: %d calls failed, such as: %s", l.Name, failed, first)
	}
}

// wide warns of figures whose intervals are too wide to say much.
func (r *Report) wide(g *group) {
	for _, f := range figures() {
		all, wide, worst := 0, 0, Comparison{}
		for _, of := range g.ratios {
			if of.Metric != f.metric || f.widest == 0 {
				continue
			}
			all++
			if of.width() > f.widest {
				wide++
			}
			if of.width() > worst.width() {
				worst = of
			}
		}
		if wide > 0 {
			r.warn(g.Scenario, "%d of %d intervals of %s are wider than %.0f %% of the ratio, the widest is %s of %s; the machine is busy, or there are too few rounds",
				wide, all, f.title, 100*f.widest, worst.text(3), worst.Variant)
		}
	}
}

func (r *Report) warn(s scenario.Scenario, format string, args ...any) {
	r.Warnings = append(r.Warnings, s.Title()+": "+fmt.Sprintf(format, args...))
}
