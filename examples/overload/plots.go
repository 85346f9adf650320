package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead-go/fairlead/examples/internal/plot"
)

// draw writes the plots of both runs into a file of the folder.
func draw(folder string, without, with *run) (path string, err error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", err
	}
	title := fmt.Sprintf("%g times what %d servers can do, for %s; without limits, and with them", phases[flood].load, servers, phases[flood].long)
	path = filepath.Join(folder, "overload.svg")
	return path, os.WriteFile(path, []byte(plot.Sheet(title, 2, plots(without, with)...)), 0o666)
}

// plots are what is drawn.
func plots(without, with *run) []plot.Plot {
	pair := func(title string, y plot.Axis, of func(*run) [][2]float64, more ...plot.Line) plot.Plot {
		return overTime(title, y, append([]plot.Line{
			{Name: "without", Color: plot.Grey, Points: of(without)},
			{Name: "with", Color: plot.Blue, Points: of(with)},
		}, more...)...)
	}
	priorities := func(title string, r *run, of func(t *tally, kind int) (float64, bool)) plot.Plot {
		var lines []plot.Line
		for k, color := range [...]string{plot.Red, plot.Amber, plot.Purple} {
			points := r.course(func(t *tally) (float64, bool) { return of(t, k) })
			lines = append(lines, plot.Line{Name: kinds[k].priority.String(), Color: color, Points: points})
		}
		return overTime(title, plot.Axis{To: 100}, lines...)
	}
	success := func(t *tally, kind int) (float64, bool) { return 100 * t.share(kind), t.kinds[kind].all > 0 }
	ended := func(as ending) func(*tally, int) (float64, bool) {
		return func(t *tally, kind int) (float64, bool) { return perSecond(t.kinds[kind].ends[as]), true }
	}
	_, end := span(after)
	most := plot.Line{Name: "capacity", Color: plot.Green, Dashed: true, Points: [][2]float64{{0, float64(capacity)}, {end.Seconds(), float64(capacity)}}}
	return []plot.Plot{
		pair("calls answered in time, a second", plot.Axis{To: 1.2 * float64(capacity)}, func(r *run) [][2]float64 {
			return r.course(func(t *tally) (float64, bool) { return perSecond(t.ends[answered]), true })
		}, most),
		pair("p99 of answers, ms", plot.Axis{Log: true, From: 1, To: 1000}, func(r *run) [][2]float64 {
			return r.course(func(t *tally) (float64, bool) { return milliseconds(quantile(t.answers, 0.99)), len(t.answers) > 0 })
		}),
		priorities("calls answered without limits, %", without, success),
		priorities("calls answered with limits, %", with, success),
		priorities("with limits: calls not sent, a second", with, ended(withheld)),
		priorities("with limits: calls refused by servers, a second", with, ended(refused)),
		pair("calls in hand at servers", plot.Axis{Log: true, From: 1, To: 100}, func(r *run) [][2]float64 {
			return r.readings(func(m moment) float64 { return float64(m.inHand) })
		}),
		pair("pressure, as applications read it", plot.Axis{To: 1}, func(r *run) [][2]float64 {
			return r.readings(func(m moment) float64 { return m.pressure })
		}),
	}
}

// overTime is a plot over the seconds of the script, of which it shades the flood.
func overTime(title string, y plot.Axis, lines ...plot.Line) plot.Plot {
	_, end := span(after)
	from, to := span(flood)
	x := plot.Axis{To: end.Seconds()}
	for s := 0.0; s <= x.To; s += 2 {
		x.Ticks = append(x.Ticks, plot.Tick{At: s, Text: fmt.Sprintf("%g s", s)})
	}
	for _, l := range lines {
		for _, pt := range l.Points {
			y = y.Over(pt[1])
		}
	}
	return &plot.Lines{Title: title, X: x, Y: y, Shade: [2]float64{from.Seconds(), to.Seconds()}, Lines: lines}
}

// readings are of the moments of the script.
func (r *run) readings(of func(moment) float64) (points [][2]float64) {
	_, end := span(after)
	for _, m := range r.moments {
		if m.at >= 0 && m.at < end {
			points = append(points, [2]float64{m.at.Seconds(), of(m)})
		}
	}
	return points
}

// slice is the time that a point of a line is about.
const slice = 500 * time.Millisecond

func perSecond(n int) float64 { return float64(n) / slice.Seconds() }

// course is what is known of the calls that began in each slice.
func (r *run) course(of func(*tally) (float64, bool)) (points [][2]float64) {
	_, end := span(after)
	for at := time.Duration(0); at < end; at += slice {
		t := r.between(at, at+slice)
		if v, ok := of(&t); ok {
			points = append(points, [2]float64{(at + slice/2).Seconds(), v})
		}
	}
	return points
}
