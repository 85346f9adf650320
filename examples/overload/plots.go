package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// draw writes the plots of both runs into a file of the folder.
func draw(folder string, without, with *run) (path string, err error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", err
	}
	plots := plots(without, with)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11">`, 2*width, 30+height*math.Ceil(float64(len(plots))/2))
	b.WriteString("<style>.g{stroke:#ddd;fill:none}.l{fill:none;stroke-width:1.5}.t{font-weight:bold}</style>\n")
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%g" y="18" font-size="13">%g times what %d servers can do, for %s; without limits, and with them</text>`+"\n", left, phases[flood].load, servers, phases[flood].long)
	for i := range plots {
		plots[i].draw(&b, width*float64(i%2), 30+height*float64(i/2))
	}
	b.WriteString("</svg>\n")
	path = filepath.Join(folder, "overload.svg")
	return path, os.WriteFile(path, []byte(b.String()), 0o666)
}

// Colors that can be told apart also by those who see no red or green (Okabe and
// Ito, 2008).
const (
	grey, blue    = "#999999", "#0072b2"
	red, amber    = "#d55e00", "#e69f00"
	green, purple = "#009e73", "#cc79a7"
)

// plots are what is drawn.
func plots(without, with *run) []plot {
	pair := func(title string, most float64, log bool, of func(r *run, l *line)) plot {
		p := plot{title: title, most: most, log: log, lines: []line{{name: "without", color: grey}, {name: "with", color: blue}}}
		of(without, &p.lines[0])
		of(with, &p.lines[1])
		return p
	}
	_, end := span(after)
	goodput := pair("calls answered in time, a second", 1.2*float64(capacity), false, course(func(t *tally) (float64, bool) { return perSecond(t.ends[answered]), true }))
	goodput.lines = append(goodput.lines, line{name: "capacity", color: green, dashed: true, points: [][2]float64{{0, float64(capacity)}, {end.Seconds(), float64(capacity)}}})

	success := func(title string, r *run) plot {
		p := plot{title: title, most: 100}
		for k, color := range [...]string{red, amber, purple} {
			l := line{name: kinds[k].priority.String(), color: color}
			course(func(t *tally) (float64, bool) { return 100 * t.share(k), t.kinds[k].all > 0 })(r, &l)
			p.lines = append(p.lines, l)
		}
		return p
	}
	refusals := func(title string, end ending) plot {
		p := plot{title: title, most: 100}
		for k, color := range [...]string{red, amber, purple} {
			l := line{name: kinds[k].priority.String(), color: color}
			course(func(t *tally) (float64, bool) { return perSecond(t.kinds[k].ends[end]), true })(with, &l)
			p.lines = append(p.lines, l)
		}
		return p
	}
	return []plot{
		goodput,
		pair("p99 of answers, ms", 1000, true, course(func(t *tally) (float64, bool) {
			return milliseconds(quantile(t.answers, 0.99)), len(t.answers) > 0
		})),
		success("calls answered without limits, %", without),
		success("calls answered with limits, %", with),
		refusals("with limits: calls not sent, a second", withheld),
		refusals("with limits: calls refused by servers, a second", refused),
		pair("calls in hand at servers", 100, true, func(r *run, l *line) {
			r.eachMoment(func(m moment) { l.points = append(l.points, [2]float64{m.at.Seconds(), float64(m.inHand)}) })
		}),
		pair("pressure, as applications read it", 1, false, func(r *run, l *line) {
			r.eachMoment(func(m moment) { l.points = append(l.points, [2]float64{m.at.Seconds(), m.pressure}) })
		}),
	}
}

// eachMoment yields those of the script.
func (r *run) eachMoment(do func(moment)) {
	_, end := span(after)
	for _, m := range r.moments {
		if m.at >= 0 && m.at < end {
			do(m)
		}
	}
}

// slice is the time that a point of a line is about.
const slice = 500 * time.Millisecond

func perSecond(n int) float64 { return float64(n) / slice.Seconds() }

// course draws something of the calls that began in each slice.
func course(of func(*tally) (float64, bool)) func(*run, *line) {
	return func(r *run, l *line) {
		_, end := span(after)
		for at := time.Duration(0); at < end; at += slice {
			t := r.between(at, at+slice)
			if v, ok := of(&t); ok {
				l.points = append(l.points, [2]float64{(at + slice/2).Seconds(), v})
			}
		}
	}
}
