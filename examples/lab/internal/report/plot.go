package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is a drawing of lines over two axes, in SVG.
type plot struct {
	title string
	x, y  axis
	lines []line
}

type line struct {
	name   string
	color  string
	dashed bool
	points [][2]float64
}

// axis maps values to places.
type axis struct {
	name  string
	from  float64
	to    float64
	log   bool
	ticks []tick
}

type tick struct {
	at   float64
	text string
}

// place is where a value is on an axis, 0 to 1.
func (a *axis) place(v float64) float64 {
	from, to := a.from, a.to
	if a.log {
		v, from, to = math.Log(max(v, from)), math.Log(from), math.Log(to)
	}
	if !(to > from) {
		return 0
	}
	return min(max((v-from)/(to-from), 0), 1)
}

// A drawing is so large, of which the axes leave so much.
const (
	width, height          = 420.0, 280.0
	left, right, top, foot = 52.0, 12.0, 26.0, 40.0
)

// draw writes the plot with its upper left corner at a place.
func (p *plot) draw(b *strings.Builder, dx, dy float64) {
	w, h := width-left-right, height-top-foot
	at := func(x, y float64) (float64, float64) { return left + w*p.x.place(x), top + h*(1-p.y.place(y)) }
	fmt.Fprintf(b, `<g transform="translate(%g %g)">`, dx, dy)
	fmt.Fprintf(b, `<text x="%g" y="16" class="t">%s</text>`, left, html.EscapeString(p.title))
	for _, t := range p.x.ticks {
		x, _ := at(t.at, p.y.from)
		fmt.Fprintf(b, `<path class="g" d="M%.1f %gv%g"/><text x="%.1f" y="%g" text-anchor="middle">%s</text>`, x, top, h, x, top+h+14, t.text)
	}
	for _, t := range p.y.ticks {
		_, y := at(p.x.from, t.at)
		fmt.Fprintf(b, `<path class="g" d="M%g %.1fh%g"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`, left, y, w, left-5, y+4, t.text)
	}
	fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`, left+w/2, height-8, html.EscapeString(p.x.name))
	for _, l := range p.lines {
		if len(l.points) == 0 {
			continue
		}
		var path strings.Builder
		for i, pt := range l.points {
			x, y := at(pt[0], pt[1])
			verb := "L"
			if i == 0 {
				verb = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", verb, x, y)
		}
		dash := ""
		if l.dashed {
			dash = ` stroke-dasharray="4 3"`
		}
		fmt.Fprintf(b, `<path class="l" stroke="%s"%s d="%s"><title>%s</title></path>`, l.color, dash, path.String(), html.EscapeString(l.name))
	}
	b.WriteString("</g>\n")
}

// powers are ticks at powers of ten.
func powers(from, to float64) (ticks []tick) {
	for e := math.Ceil(math.Log10(from)); e <= math.Log10(to)+1e-9; e++ {
		ticks = append(ticks, tick{math.Pow(10, e), fmt.Sprintf("%g", math.Pow(10, e))})
	}
	return ticks
}

// evenly are ticks at round values.
func evenly(from, to float64) (ticks []tick) {
	step := math.Pow(10, math.Floor(math.Log10(max(to-from, 1e-9))))
	for _, part := range []float64{0.2, 0.5, 1} {
		if (to-from)/(step*part) <= 6 {
			step *= part
			break
		}
	}
	for v := math.Ceil(from/step) * step; v <= to*1.0001; v += step {
		ticks = append(ticks, tick{v, fmt.Sprintf("%.4g", v)})
	}
	return ticks
}
