package plot

import (
	"fmt"
	"strings"
)

// Lines is a plot of lines over two axes.
type Lines struct {
	Title string
	X, Y  Axis
	Shade [2]float64 // a part of the X axis
	Lines []Line
}

// Line is one of them. Where a point is no number it has a gap.
type Line struct {
	Name   string
	Color  string
	Dashed bool
	Points [][2]float64
}

// A plot of lines is so large, of which axes and legend leave so much.
const (
	linesWidth, linesHeight = 420.0, 240.0
	left, top               = 52.0, 44.0
	across, tall            = 360.0, 160.0
)

func (p *Lines) size() (width, height float64) {
	if p.X.Name != "" {
		return linesWidth, linesHeight + 14
	}
	return linesWidth, linesHeight
}

func (p *Lines) about() (title, more string) {
	for _, l := range p.Lines {
		more += ", " + l.Name
	}
	return p.Title, "Lines: " + strings.TrimPrefix(more, ", ")
}

func (p *Lines) x(v float64) float64 { return left + across*p.X.place(v) }
func (p *Lines) y(v float64) float64 { return top + tall*(1-p.Y.place(v)) }

func (p *Lines) draw(b *strings.Builder) {
	heading(b, left, p.Title)
	if from, to := p.x(p.Shade[0]), p.x(p.Shade[1]); to > from {
		shade(b, from, top, to-from, tall)
	}
	for _, t := range p.X.ticks() {
		text(b, p.x(t.At), top+tall+14, middle, t.Text)
	}
	for _, t := range p.Y.ticks() {
		stroke(b, 1, 0.15, "M%g %.1fh%g", left, p.y(t.At), across)
		text(b, left-5, p.y(t.At)+4, end, t.Text)
	}
	if p.X.Name != "" {
		text(b, left+across/2, top+tall+29, middle, p.X.Name)
	}
	at := left
	for _, l := range p.Lines {
		l.path(b, fmt.Sprintf("M%.1f 28h16", at))
		text(b, at+20, 32, start, l.Name)
		at += 34 + wide(l.Name)
		l.path(b, p.course(l.Points))
	}
}

func (l *Line) path(b *strings.Builder, d string) {
	dash := ""
	if l.Dashed {
		dash = ` stroke-dasharray="4 3"`
	}
	if d != "" {
		fmt.Fprintf(b, `<path fill="none" stroke="%s" stroke-width="1.5"%s d="%s"><title>%s</title></path>`, escaped(l.Color), dash, d, escaped(l.Name))
	}
}

func (p *Lines) course(points [][2]float64) string {
	var d strings.Builder
	verb := "M"
	for _, pt := range points {
		if !finite(pt[0]) || !finite(pt[1]) {
			verb = "M"
			continue
		}
		fmt.Fprintf(&d, "%s%.1f %.1f", verb, p.x(pt[0]), p.y(pt[1]))
		verb = "L"
	}
	return d.String()
}
