package report

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// armed is the features of one scenario for one policy, of the first seed.
type armed struct {
	scenario, policy string
	features         [][2]*Arm // without, with
}

// file is named after the policy, too, where there are several.
func (a *armed) file(several bool) string {
	if several {
		return fmt.Sprintf("%s-features-%s.svg", a.scenario, a.policy)
	}
	return a.scenario + "-features.svg"
}

func armedOf(all []Arm) (some []armed) {
	at := map[[2]string]int{}
	for i := range all {
		a := &all[i]
		if a.Seed != all[0].Seed {
			continue
		}
		key := [2]string{a.Scenario, a.Policy}
		if _, ok := at[key]; !ok {
			at[key] = len(some)
			some = append(some, armed{scenario: a.Scenario, policy: a.Policy})
		}
		one := &some[at[key]]
		if !a.With {
			one.features = append(one.features, [2]*Arm{a})
		} else {
			one.features[len(one.features)-1][1] = a
		}
	}
	return some
}

// ArmSVG writes a file for each scenario that has features into a folder: a row of
// plots for each of them, without it in grey and with it in blue.
func ArmSVG(folder string, all []Arm) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	some := armedOf(all)
	for i := range some {
		several := some[i].policy != some[0].policy || some[len(some)-1].policy != some[0].policy
		if err := os.WriteFile(filepath.Join(folder, some[i].file(several)), []byte(some[i].svg()), 0o666); err != nil {
			return err
		}
	}
	return nil
}

func (a *armed) svg() string {
	var b strings.Builder
	const row = height + 22
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11">`, 3*width, 24+row*float64(len(a.features)))
	b.WriteString("<style>.g{stroke:#ddd;fill:none}.l{fill:none;stroke-width:1.5}.t{font-weight:bold}</style>\n")
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%g" y="16" font-size="13">%s, %s: without in grey, with in blue</text>`+"\n", left, html.EscapeString(a.scenario), a.policy)
	for i := range a.features {
		f := &a.features[i]
		y := 24 + row*float64(i)
		fmt.Fprintf(&b, `<text x="%g" y="%g" font-size="13">%s</text>`+"\n", left, y+14, html.EscapeString(f[0].Feature))
		for k, p := range []plot{tails(f), failures(f), attempts(f)} {
			p.draw(&b, float64(k)*width, y+18)
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// lineOf is that of an arm.
func lineOf(a *Arm) line {
	if a.With {
		return line{name: "with", color: colors[0]}
	}
	return line{name: "without", color: "#999"}
}

// tails is how latency is distributed.
func tails(f *[2]*Arm) plot {
	p := plot{title: "latency, by the share of calls that take longer", x: axis{name: "latency, ms", log: true, from: math.Inf(1), to: 1}, y: axis{log: true, from: 1, to: 1e4}}
	p.y.ticks = nines
	for _, a := range f {
		l := lineOf(a)
		l.points = tail(&a.Result.Latency)
		for _, pt := range l.points {
			p.x.from, p.x.to = min(p.x.from, pt[0]), max(p.x.to, pt[0])
		}
		p.lines = append(p.lines, l)
	}
	if !(p.x.from < p.x.to) {
		p.x.from = p.x.to / 10
	}
	p.x.ticks = powers(p.x.from, p.x.to)
	return p
}

// failures are the calls that failed, as time goes on.
func failures(f *[2]*Arm) plot {
	return overTime(f, "calls that fail, %", 1, func(r *Arm, i int) (float64, bool) {
		m := &r.Result.Course[i]
		return 100 * float64(m.Failed) / float64(max(1, m.Failed+m.Well)), m.Failed+m.Well > 0
	})
}

// attempts are those that came to the last hop, for each call.
func attempts(f *[2]*Arm) plot {
	return overTime(f, "attempts for each call, at the last hop", 1.5, func(r *Arm, i int) (float64, bool) {
		m := &r.Result.Course[i]
		return float64(m.Attempts) / float64(max(1, m.Began)), m.Began > 0
	})
}

// overTime draws what is known of some moments. The axis goes up to at least most.
func overTime(f *[2]*Arm, title string, most float64, of func(*Arm, int) (float64, bool)) plot {
	first := f[0].Result
	length := (first.Period * time.Duration(len(first.Course))).Seconds()
	p := plot{title: title, x: axis{name: "seconds", to: length, ticks: evenly(0, length)}, y: axis{to: most}}
	for _, a := range f {
		l := lineOf(a)
		for i := range a.Result.Course {
			if v, ok := of(a, i); ok {
				p.y.to = max(p.y.to, v)
				l.points = append(l.points, [2]float64{(time.Duration(i) * a.Result.Period).Seconds(), v})
			}
		}
		p.lines = append(p.lines, l)
	}
	p.y.ticks = evenly(0, p.y.to)
	return p
}
