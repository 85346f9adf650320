package report

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// tried is the arms of one trial for one policy, of the first seed.
type tried struct {
	trial, policy string
	arms          []*Trial
}

// sheet is the trials of one scenario.
type sheet struct {
	scenario string
	trials   []tried
}

func sheets(all []Trial) (some []sheet) {
	for i := range all {
		t := &all[i]
		if t.Seed != all[0].Seed {
			continue
		}
		if n := len(some); n == 0 || some[n-1].scenario != t.Scenario {
			some = append(some, sheet{scenario: t.Scenario})
		}
		s := &some[len(some)-1]
		if n := len(s.trials); n == 0 || s.trials[n-1].trial != t.Trial || s.trials[n-1].policy != t.Policy {
			s.trials = append(s.trials, tried{trial: t.Trial, policy: t.Policy})
		}
		last := &s.trials[len(s.trials)-1]
		last.arms = append(last.arms, t)
	}
	return some
}

// TrialSVG writes a file for each scenario that has trials into a folder: goodput,
// refusals and p99 over time for each of them, and where calls have priorities how
// many of each are refused.
func TrialSVG(folder string, all []Trial) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	for _, s := range sheets(all) {
		if err := os.WriteFile(filepath.Join(folder, s.scenario+"-limits.svg"), []byte(s.svg()), 0o666); err != nil {
			return err
		}
	}
	return nil
}

func (s *sheet) svg() string {
	var b strings.Builder
	y := 24.0
	for i := range s.trials {
		t := &s.trials[i]
		x := left
		fmt.Fprintf(&b, `<text x="%g" y="%g" font-size="13">%s, %s</text>`+"\n", x, y+14, html.EscapeString(t.trial), t.policy)
		for k, one := range t.arms {
			x = width + left + float64(k)*150
			fmt.Fprintf(&b, `<path class="l" stroke="%s" d="M%g %gh24"/><text x="%g" y="%g">%s</text>`, color(k), x, y+10, x+30, y+14, html.EscapeString(one.Arm))
		}
		y += 22
		for k, p := range t.plots() {
			if k > 0 && k%3 == 0 {
				y += height
			}
			p.draw(&b, float64(k%3)*width, y)
		}
		y += height
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11">`, 3*width, y) +
		"<style>.g{stroke:#ddd;fill:none}.l{fill:none;stroke-width:1.5}.t{font-weight:bold}</style>\n" +
		fmt.Sprintf(`<rect width="100%%" height="100%%" fill="#fff"/><text x="%g" y="16" font-size="13">%s, by limits: those of nobody, of clients, of servers, of both</text>`+"\n", left, html.EscapeString(s.scenario)) +
		b.String() + "</svg>\n"
}

// plots are three, and three more where calls have priorities.
func (t *tried) plots() []plot {
	some := []plot{t.goodput(), t.refusals("calls that are not sent or refused, %", priorities[:]...), t.p99()}
	if t.arms[0].Classes != nil {
		for _, p := range priorities {
			some = append(some, t.refusals(fmt.Sprintf("of %s calls, %%", p), p))
		}
	}
	return some
}

// goodput is what is done of what can be.
func (t *tried) goodput() plot {
	return t.overTime("goodput, of what can be done", axis{to: 1.1}, func(r *sim.Result, m *sim.Moment) (float64, bool) {
		return float64(m.Well) / (r.Capacity * r.Period.Seconds()), true
	})
}

func (t *tried) refusals(title string, of ...ratelimit.Priority) plot {
	return t.overTime(title, axis{to: 100}, func(_ *sim.Result, m *sim.Moment) (float64, bool) {
		refused, all := int64(0), int64(0)
		for _, p := range of {
			e := &m.By[p.Index()]
			refused, all = refused+e.Withheld+e.Refused, all+e.All()
		}
		return 100 * float64(refused) / float64(max(1, all)), all > 0
	})
}

func (t *tried) p99() plot {
	return t.overTime("p99 of calls that went well, ms", axis{log: true, from: math.Inf(1), to: 1}, func(_ *sim.Result, m *sim.Moment) (float64, bool) {
		return milliseconds(m.P99), m.P99 > 0
	})
}

// overTime draws what is known of some moments, on an axis that is made longer where
// it has to be.
func (t *tried) overTime(title string, y axis, of func(*sim.Result, *sim.Moment) (float64, bool)) plot {
	first := t.arms[0].Result
	length := (first.Period * time.Duration(len(first.Course))).Seconds()
	p := plot{title: title, x: axis{name: "seconds", to: length, ticks: evenly(0, length)}, y: y}
	for k, arm := range t.arms {
		l := line{name: arm.Arm, color: color(k)}
		for i := range arm.Result.Course {
			v, ok := of(arm.Result, &arm.Result.Course[i])
			if !ok { // a gap, and another line after it
				p.lines = append(p.lines, l)
				l.points = nil
				continue
			}
			p.y.from, p.y.to = min(p.y.from, v), max(p.y.to, v)
			l.points = append(l.points, [2]float64{(time.Duration(i) * first.Period).Seconds(), v})
		}
		p.lines = append(p.lines, l)
	}
	if !p.y.log {
		p.y.ticks = evenly(p.y.from, p.y.to)
		return p
	}
	if !(p.y.from < p.y.to) {
		p.y.from = p.y.to / 10
	}
	p.y.from, p.y.to = math.Pow(10, math.Floor(math.Log10(p.y.from))), math.Pow(10, math.Ceil(math.Log10(p.y.to)))
	p.y.ticks = powers(p.y.from, p.y.to)
	return p
}
