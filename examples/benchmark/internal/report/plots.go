package report

import (
	"fmt"
	"strings"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/internal/plot"
)

// plots are those of a scenario.
func (g *group) plots() []plot.Plot {
	return []plot.Plot{
		g.costs(),
		g.dots(figures()[0], "CPU of a request, as a ratio"),
		g.latencies(),
		g.dots(figureOf("p99_us"), "p99 of the latency, as a ratio"),
	}
}

// costs are the CPU of a request, and whose it is.
func (g *group) costs() plot.Plot {
	p := &plot.Rows{
		Title: "CPU of a request, by who used it", Axis: plot.Axis{Name: "µs; whiskers: interval of the sum, with the drift of the machine"},
		Keys: []plot.Key{{Name: "client", Color: plot.Blue}, {Name: "servers", Color: plot.Grey}, {Name: "proxies", Color: plot.Amber}},
	}
	for _, l := range g.lanes {
		r := plot.Row{Name: l.Name}
		r.Bars = []float64{medianOf(l.Runs, load.Measurement.ClientCPUPerCall), medianOf(l.Runs, serverCPU), medianOf(l.Runs, proxyCPU)}
		if values := valuesOf(l.Runs, load.Measurement.CPUPerCall); len(values) > 0 {
			e := estimateOf(values)
			r.Low, r.High, r.Text = e.Low, e.High, e.text(1)
		}
		p.Axis = p.Axis.Over(r.Bars[0]+r.Bars[1]+r.Bars[2], r.High)
		p.Rows = append(p.Rows, r)
	}
	p.More = said(p)
	return p
}

// most is the ratio that an axis of ratios has to hold. One long enough for every
// proxy would hide what is between 1 and 1.1.
const most = 1.5

// dots are the ratios of a figure.
func (g *group) dots(f figure, title string) plot.Plot {
	p := &plot.Rows{
		Title: title, Axis: plot.Axis{From: 1, To: 1},
		Keys: []plot.Key{{Name: "ratio with its interval; shaded: that of A/A; arrow: beyond the axis", Color: plot.Blue, Shape: plot.Circle}},
	}
	bases := map[string]bool{}
	for _, of := range g.ratios {
		if of.Metric != f.metric {
			continue
		}
		bases[of.Base] = true
		p.Rows = append(p.Rows, plot.Row{Name: of.Variant, Dots: []float64{of.Median}, Low: of.Low, High: of.High, Text: of.text(3)})
		p.Axis = p.Axis.Over(min(of.Low, p.Axis.To))
		if of.Median <= most {
			p.Axis = p.Axis.Over(of.Low, of.High)
		}
		if of.Variant == Again {
			p.Shade = [2]float64{of.Low, of.High}
		}
	}
	if p.Axis.To-p.Axis.From < 0.1 {
		p.Axis = p.Axis.Over(0.95, 1.05)
	}
	p.Axis.Name = "÷ " + g.lanes[0].Name
	if len(bases) > 1 {
		p.Axis.Name = "÷ that of its base"
	}
	p.More = said(p)
	return p
}

func (g *group) latencies() plot.Plot {
	p := &plot.Rows{
		Title: "Latency", Axis: plot.Axis{Name: "µs", Log: true},
		Keys: []plot.Key{{Name: "p50", Color: plot.Blue, Shape: plot.Circle}, {Name: "p99", Color: plot.Amber, Shape: plot.Diamond}, {Name: "p99.9", Color: plot.Red, Shape: plot.Square}},
	}
	for _, r := range g.rows {
		p.Axis = p.Axis.Over(r.P50, r.P99, r.P999)
		p.Rows = append(p.Rows, plot.Row{Name: r.Variant, Dots: []float64{r.P50, r.P99, r.P999}, Text: fmt.Sprintf("%.0f / %.0f / %.0f", r.P50, r.P99, r.P999)})
	}
	p.More = said(p)
	return p
}

// said is a plot in words.
func said(p *plot.Rows) string {
	var all []string
	for _, r := range p.Rows {
		all = append(all, r.Name+" "+r.Text)
	}
	return strings.Join(all, "; ")
}

func figureOf(metric string) figure {
	for _, f := range figures() {
		if f.metric == metric {
			return f
		}
	}
	return figure{}
}
