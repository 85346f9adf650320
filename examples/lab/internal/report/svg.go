package report

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// colors tell the policies apart also for those who see no red or green (Okabe
// and Ito, 2008).
var colors = [...]string{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999933", "#882255", "#888888", "#555555", "#000000"}

// setting is the rows of one scenario with so many clients and so much load.
type setting struct {
	group
	rows []Row
}

// settings puts together what is to be compared, of the first seed only.
func settings(rows []Row) (all []setting) {
	for _, r := range rows {
		if r.Seed != rows[0].Seed {
			continue
		}
		if n := len(all); n == 0 || all[n-1].group != r.group() {
			all = append(all, setting{group: r.group()})
		}
		last := &all[len(all)-1]
		last.rows = append(last.rows, r)
	}
	return all
}

func (s *setting) file() string {
	return fmt.Sprintf("%s-%d-%g.svg", s.scenario, s.clients, s.load)
}

// SVG writes a file for each scenario, number of clients and load into a folder:
// how latency is distributed, what share each policy gave to the bad, and how load
// was spread over the instances.
func SVG(folder string, rows []Row) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	for _, s := range settings(rows) {
		if err := os.WriteFile(filepath.Join(folder, s.file()), []byte(s.svg()), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// svg is the three plots beside each other, above their legend.
func (s *setting) svg() string {
	var b strings.Builder
	plots := []plot{s.cdf(), s.shares(), s.spread()}
	legend := 20.0 * math.Ceil(float64(len(s.rows))/6)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11">`, 3*width, height+legend+26)
	b.WriteString("<style>.g{stroke:#ddd;fill:none}.l{fill:none;stroke-width:1.5}.t{font-weight:bold}</style>\n")
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%g" y="16" font-size="13">%s, clients %d, load %g</text>`+"\n", left, html.EscapeString(s.scenario), s.clients, s.load)
	for i := range plots {
		plots[i].draw(&b, float64(i)*width, 20)
	}
	for i, r := range s.rows {
		x, y := left+float64(i%6)*200, height+36+20*float64(i/6)
		fmt.Fprintf(&b, `<path class="l" stroke="%s"%s d="M%g %gh24"/><text x="%g" y="%g">%s</text>`, color(i), dash(r.Policy), x, y-4, x+30, y, html.EscapeString(r.Policy))
	}
	b.WriteString("\n</svg>\n")
	return b.String()
}

func color(i int) string { return colors[i%len(colors)] }

// isBound says that a policy is none.
func isBound(policy string) bool {
	return slices.Contains([]string{"shortest-queue", "central-queue", "p2c-oracle"}, policy)
}

func dash(policy string) string {
	if isBound(policy) {
		return ` stroke-dasharray="4 3"`
	}
	return ""
}

var nines = []tick{{1, "all"}, {10, "10 %"}, {100, "1 %"}, {1e3, "0.1 %"}, {1e4, "0.01 %"}}

// tail is the latency that so many nines of the calls do not exceed, and how many.
func tail(h *sim.Histogram) (points [][2]float64) {
	for k := 1; k < 49; k++ {
		nines := math.Pow(10, float64(k)/12)
		if float64(h.Count()) < 10*nines {
			break
		}
		if at := milliseconds(h.Quantile(1 - 1/nines)); at > 0 {
			points = append(points, [2]float64{at, nines})
		}
	}
	return points
}

// cdf is the latency that so many nines of the calls do not exceed.
func (s *setting) cdf() plot {
	p := plot{title: "latency, by the share of calls that take longer", x: axis{name: "latency, ms", log: true, from: math.Inf(1), to: 1}, y: axis{log: true, from: 1, to: 1e4}}
	p.y.ticks = nines
	for i, r := range s.rows {
		l := line{name: r.Policy, color: color(i), dashed: isBound(r.Policy)}
		l.points = tail(&r.Result.Latency)
		for _, pt := range l.points {
			p.x.from, p.x.to = min(p.x.from, pt[0]), max(p.x.to, pt[0])
		}
		p.lines = append(p.lines, l)
	}
	// Some policies leave queues that grow for minutes; beside them nobody would see
	// the others.
	least := math.Inf(1)
	for i := range s.rows {
		if p99 := s.rows[i].P99; p99 > 0 {
			least = min(least, p99)
		}
	}
	p.x.to = min(p.x.to, 30*least)
	if !(p.x.from < p.x.to) {
		p.x.from = p.x.to / 10
	}
	p.x.ticks = powers(p.x.from, p.x.to)
	return p
}

// shares is what the bad instances got over time, of all calls; where there are
// none, what the first class got.
func (s *setting) shares() plot {
	first := s.rows[0].Result
	length := (first.Period * time.Duration(len(first.Shares))).Seconds()
	p := plot{x: axis{name: "seconds", to: length, ticks: evenly(0, length)}, y: axis{to: 0.01}}
	of := first.Classes[0]
	for _, i := range first.Instances {
		if i.Bad {
			of = i.Class
			break
		}
	}
	p.title = fmt.Sprintf("share of calls that %q got", of)
	class := slices.Index(first.Classes, of)
	for i, r := range s.rows {
		l := line{name: r.Policy, color: color(i), dashed: isBound(r.Policy)}
		for k, period := range r.Result.Shares {
			sum := int64(0)
			for _, n := range period {
				sum += n
			}
			if sum > 0 {
				share := float64(period[class]) / float64(sum)
				p.y.to = max(p.y.to, share)
				l.points = append(l.points, [2]float64{(time.Duration(k) * r.Result.Period).Seconds(), share})
			}
		}
		p.lines = append(p.lines, l)
	}
	p.y.ticks = evenly(0, p.y.to)
	return p
}

// spread is how many calls each instance got, those with the fewest first, of the
// mean.
func (s *setting) spread() plot {
	p := plot{title: "calls of each instance, of the mean", x: axis{name: "instances, those with the fewest calls first", to: 1}, y: axis{to: 1.2}}
	for i, r := range s.rows {
		l := line{name: r.Policy, color: color(i), dashed: isBound(r.Policy)}
		var rates []float64
		sum := 0.0
		for _, one := range r.Result.Instances {
			if one.Present >= r.Result.Period {
				rate := float64(one.Attempts) / one.Present.Seconds()
				rates = append(rates, rate)
				sum += rate
			}
		}
		slices.Sort(rates)
		step := max(1, len(rates)/100)
		for k := 0; k < len(rates) && sum > 0; k += step {
			at := rates[k] * float64(len(rates)) / sum
			p.y.to = max(p.y.to, at)
			l.points = append(l.points, [2]float64{float64(k + 1), at})
		}
		p.x.to = max(p.x.to, float64(len(rates)))
		p.lines = append(p.lines, l)
	}
	p.x.from = 1
	p.x.ticks, p.y.ticks = evenly(p.x.from, p.x.to), evenly(0, p.y.to)
	return p
}
