package plot

import (
	"fmt"
	"strings"
)

// Rows is a plot of names one below the other, with bars and dots on one axis.
type Rows struct {
	Title, More string // More is for those who cannot see it
	Axis        Axis
	Shade       [2]float64 // a part of the axis
	Keys        []Key
	Rows        []Row
}

// Key says what a colour means. Its shape is that of the dots; none: a bar.
type Key struct {
	Name, Color string
	Shape       Shape
}

// Row is a name with its bars, one after the other from 0, its dots, and one
// interval. What is no number is not drawn; an arrow stands for a dot that the
// axis is too short for.
type Row struct {
	Name      string
	Bars      []float64 // in the colours of the keys
	Dots      []float64 // likewise
	Low, High float64
	Text      string // to the right
}

// Shape is that of a dot.
type Shape string

// The shapes, as paths around a point.
const (
	Circle  Shape = "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"
	Diamond Shape = "m0 -5l5 5l-5 5l-5 -5z"
	Square  Shape = "m-3.5 -3.5h7v7h-7z"
)

// Rows are so wide and high.
const (
	rowsWidth, rowHeight = 480.0, 19.0
	barHeight            = 11.0
	rowsTop              = 24.0 // of the first row, without keys
	keysHeight           = 18.0
	rowsFoot             = 36.0
	margin               = 12.0
)

// layout is what names and texts leave to the axis.
type layout struct {
	*Rows
	left, across, top, tall float64
}

func (p *Rows) layout() layout {
	l := layout{Rows: p, top: rowsTop, tall: rowHeight * float64(len(p.Rows))}
	if len(p.Keys) > 0 {
		l.top += keysHeight
	}
	right := margin
	for _, r := range p.Rows {
		l.left = max(l.left, margin+wide(r.Name)+8)
		right = max(right, margin+wide(r.Text)+8)
	}
	l.across = max(rowsWidth-l.left-right, 80)
	return l
}

func (p *Rows) size() (width, height float64) {
	l := p.layout()
	return rowsWidth, l.top + l.tall + rowsFoot
}

func (p *Rows) about() (title, more string) { return p.Title, p.More }

func (p *Rows) draw(b *strings.Builder) {
	l := p.layout()
	heading(b, margin, p.Title)
	at := margin
	for _, k := range p.Keys {
		k.mark(b, at+5, rowsTop+2)
		text(b, at+14, rowsTop+6, start, k.Name)
		at += 30 + wide(k.Name)
	}
	if from, to := l.x(p.Shade[0]), l.x(p.Shade[1]); p.Shade[1] > p.Shade[0] {
		shade(b, from, l.top, max(to-from, 1), l.tall)
	}
	for _, t := range p.Axis.ticks() {
		stroke(b, 1, 0.15, "M%.1f %gv%g", l.x(t.At), l.top, l.tall)
		text(b, l.x(t.At), l.top+l.tall+13, middle, t.Text)
	}
	text(b, l.left+l.across/2, l.top+l.tall+28, middle, p.Axis.Name)
	for i, r := range p.Rows {
		l.row(b, r, l.top+rowHeight*(float64(i)+0.5))
	}
}

func (l *layout) x(v float64) float64 { return l.left + l.across*l.Axis.place(v) }

// row draws one around a height.
func (l *layout) row(b *strings.Builder, r Row, y float64) {
	text(b, l.left-8, y+4, end, r.Name)
	text(b, l.left+l.across+8, y+4, start, r.Text)
	from := 0.0
	for i, length := range r.Bars {
		if !finite(length) || !(length > 0) {
			continue
		}
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%g" fill="%s"/>`, l.x(from), y-barHeight/2, l.x(from+length)-l.x(from), barHeight, escaped(l.Keys[i].Color))
		from += length
	}
	if finite(r.Low) && finite(r.High) && r.High > r.Low && r.Low <= l.Axis.To {
		stroke(b, 1.2, 0.9, "M%.1f %.1fv6m0 -3H%.1fm0 -3v6", l.x(r.Low), y-3, l.x(r.High))
	}
	l.dots(b, r.Dots, y)
}

// dots draws those of a row, and what lies between them.
func (l *layout) dots(b *strings.Builder, dots []float64, y float64) {
	last := -1.0
	for _, v := range dots {
		if !finite(v) || l.Axis.Log && v <= 0 {
			continue
		}
		if last >= 0 {
			stroke(b, 1, 0.5, "M%.1f %.1fH%.1f", last, y, l.x(v))
		}
		last = l.x(v)
	}
	for i, v := range dots {
		if !finite(v) || l.Axis.Log && v <= 0 {
			continue
		}
		k := l.Keys[i]
		if v > l.Axis.To {
			k.Shape = arrow
		}
		k.mark(b, l.x(v), y)
	}
}

// arrow stands at the end of an axis.
const arrow Shape = "m-8 -5l8 5l-8 5z"

func (k *Key) mark(b *strings.Builder, x, y float64) {
	shape := k.Shape
	if shape == "" {
		shape = Square
	}
	fmt.Fprintf(b, `<path fill="%s" d="M%.1f %.1f%s"/>`, escaped(k.Color), x, y, shape)
}
