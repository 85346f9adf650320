package main

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// plot is a drawing of lines over the seconds of the script, in SVG.
type plot struct {
	title string
	most  float64 // of the upright axis, at least
	log   bool    // the axis grows by powers of ten, from 1 on
	lines []line
}

type line struct {
	name   string
	color  string
	dashed bool
	points [][2]float64 // seconds, and a value
}

// A plot is so large, of which the axes leave so much.
const (
	width, height    = 420.0, 240.0
	left, top        = 52.0, 44.0
	inside, tall     = 360.0, 160.0
	secondsTick      = 2
	mostUprightTicks = 5
)

// place is where a value stands, from 0 to 1.
func (p *plot) place(v float64) float64 {
	if p.log {
		return math.Log10(max(v, 1)) / math.Log10(p.most)
	}
	return v / p.most
}

// ticks are round values on the upright axis.
func (p *plot) ticks() (all []float64) {
	if p.log {
		for v := 1.0; v <= p.most; v *= 10 {
			all = append(all, v)
		}
		return all
	}
	step := math.Pow(10, math.Floor(math.Log10(p.most)))
	for _, part := range []float64{0.2, 0.5, 1} {
		if p.most/(step*part) <= mostUprightTicks {
			step *= part
			break
		}
	}
	for v := 0.0; v <= p.most*1.0001; v += step {
		all = append(all, v)
	}
	return all
}

// fit makes the axis long enough.
func (p *plot) fit() {
	for _, l := range p.lines {
		for _, at := range l.points {
			p.most = max(p.most, at[1])
		}
	}
	if p.log {
		p.most = math.Pow(10, math.Ceil(math.Log10(p.most)))
	}
}

// draw writes the plot with its upper left corner at a place.
func (p *plot) draw(b *strings.Builder, x, y float64) {
	p.fit()
	_, end := span(after)
	across := func(seconds float64) float64 { return left + inside*seconds/end.Seconds() }
	up := func(v float64) float64 { return top + tall*(1-p.place(v)) }
	fmt.Fprintf(b, `<g transform="translate(%g %g)"><text x="%g" y="14" class="t">%s</text>`, x, y, left, html.EscapeString(p.title))
	from, to := span(flood)
	fmt.Fprintf(b, `<rect x="%.1f" y="%g" width="%.1f" height="%g" fill="#f3f3f3"/>`, across(from.Seconds()), top, across(to.Seconds())-across(from.Seconds()), tall)
	for s := 0; s <= int(end.Seconds()); s += secondsTick {
		fmt.Fprintf(b, `<text x="%.1f" y="%g" text-anchor="middle">%d s</text>`, across(float64(s)), top+tall+14, s)
	}
	for _, v := range p.ticks() {
		fmt.Fprintf(b, `<path class="g" d="M%g %.1fh%g"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`, left, up(v), inside, left-5, up(v)+4, strconv.FormatFloat(v, 'f', -1, 32))
	}
	at := left
	for _, l := range p.lines {
		dash := ""
		if l.dashed {
			dash = ` stroke-dasharray="4 3"`
		}
		fmt.Fprintf(b, `<path class="l" stroke="%s"%s d="M%g 28h16"/><text x="%g" y="32">%s</text>`, l.color, dash, at, at+20, html.EscapeString(l.name))
		at += 36 + 6.2*float64(len(l.name))
		var path strings.Builder
		for i, pt := range l.points {
			verb := "L"
			if i == 0 {
				verb = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", verb, across(pt[0]), up(pt[1]))
		}
		fmt.Fprintf(b, `<path class="l" stroke="%s"%s d="%s"/>`, l.color, dash, path.String())
	}
	b.WriteString("</g>\n")
}
