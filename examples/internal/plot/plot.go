// Package plot draws figures as SVG: lines over two axes, and rows of bars or
// dots with their intervals on one. A drawing needs nothing but itself; text and
// grid have the colour of what it stands in.
package plot

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Colours that can be told apart also by those who see no red or green (Okabe and
// Ito, 2008).
const (
	Grey, Blue    = "#999999", "#0072b2"
	Red, Amber    = "#d55e00", "#e69f00"
	Green, Purple = "#009e73", "#cc79a7"
)

// Plot is [Lines] or [Rows].
type Plot interface {
	size() (width, height float64)
	about() (title, more string)
	draw(b *strings.Builder)
}

// SVG is one plot, to stand in a page.
func SVG(p Plot) string {
	var b strings.Builder
	w, h := p.size()
	title, more := p.about()
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 %g %g" fill="currentColor" font-size="11">`, w, h)
	fmt.Fprintf(&b, "<title>%s</title><desc>%s</desc>\n", escaped(title), escaped(more))
	p.draw(&b)
	b.WriteString("</svg>\n")
	return b.String()
}

// Sheet is many of one size beside each other, in so many columns on white paper.
func Sheet(title string, columns int, plots ...Plot) string {
	const head = 30
	w, h := 0.0, 0.0
	for _, p := range plots {
		pw, ph := p.size()
		w, h = max(w, pw), max(h, ph)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 %g %g" color="#222" fill="currentColor" font-family="sans-serif" font-size="11">`,
		w*float64(columns), head+h*math.Ceil(float64(len(plots))/float64(columns)))
	fmt.Fprintf(&b, "<title>%s</title>"+`<rect width="100%%" height="100%%" fill="#fff"/><text x="%g" y="18" font-size="13">%[1]s</text>`+"\n", escaped(title), left)
	for i, p := range plots {
		fmt.Fprintf(&b, `<g transform="translate(%g %g)">`, w*float64(i%columns), head+h*float64(i/columns))
		p.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// The anchors of a text.
const (
	start  = "start"
	middle = "middle"
	end    = "end"
)

func text(b *strings.Builder, x, y float64, anchor, s string) {
	if s != "" {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, escaped(s))
	}
}

func heading(b *strings.Builder, x float64, s string) {
	fmt.Fprintf(b, `<text x="%g" y="14" font-weight="bold">%s</text>`, x, escaped(s))
}

// stroke draws a path in the colour of the text.
func stroke(b *strings.Builder, width, opacity float64, format string, args ...any) {
	fmt.Fprintf(b, `<path fill="none" stroke="currentColor" stroke-width="%g" stroke-opacity="%g" d="%s"/>`, width, opacity, fmt.Sprintf(format, args...))
}

// shade fills a region behind the plot.
func shade(b *strings.Builder, x, y, width, height float64) {
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill-opacity="0.1"/>`, x, y, width, height)
}

// wide is about how wide a text is.
func wide(s string) float64 { return 6.0 * float64(len([]rune(s))) }

func escaped(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
