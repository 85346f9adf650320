package plot

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
)

// drawn reads a drawing as XML: its texts, and the elements of each name.
func drawn(t *testing.T, svg string) (texts string, elements map[string][]xml.StartElement) {
	t.Helper()
	elements = map[string][]xml.StartElement{}
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return texts, elements
		} else if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
		switch is := token.(type) {
		case xml.StartElement:
			elements[is.Name.Local] = append(elements[is.Name.Local], is.Copy())
		case xml.CharData:
			texts += string(is) + "\n"
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func rows(all ...Row) *Rows {
	return &Rows{
		Title: "cost & effect", More: "more of it", Axis: Axis{Name: "µs", To: 10}, Shade: [2]float64{4, 5},
		Keys: []Key{{Name: "first", Color: Blue, Shape: Circle}, {Name: "second", Color: Red, Shape: Diamond}}, Rows: all,
	}
}

func TestRowsShowNamesBarsAndDots(t *testing.T) {
	texts, elements := drawn(t, SVG(rows(
		Row{Name: "<plain>", Bars: []float64{2, 6}, Low: 7, High: 9, Text: "8 [7, 9]"},
		Row{Name: "other", Dots: []float64{3, 5}},
	)))
	for _, want := range []string{"cost & effect", "more of it", "<plain>", "other", "8 [7, 9]", "µs", "first", "second"} {
		if !strings.Contains(texts, want) {
			t.Errorf("%q is not in the drawing", want)
		}
	}
	var bars []xml.StartElement
	for _, e := range elements["rect"] {
		if attribute(e, "fill") != "" {
			bars = append(bars, e)
		}
	}
	if len(bars) != 2 || attribute(bars[0], "fill") != Blue || attribute(bars[1], "fill") != Red {
		t.Fatalf("bars: %v", bars)
	}
	first, second := attribute(bars[0], "width"), attribute(bars[1], "width")
	if len(first) > len(second) || first == second {
		t.Errorf("a bar of 2 is %s long, one of 6 %s", first, second)
	}
	if elements["svg"][0].Attr == nil || elements["title"] == nil || elements["desc"] == nil {
		t.Error("nothing says what it is to those who cannot see it")
	}
}

// A dot that lay within the axis would be read as a value.
func TestAnArrowStandsForWhatTheAxisIsTooShortFor(t *testing.T) {
	if _, elements := drawn(t, SVG(rows(Row{Dots: []float64{9}}))); countOf(elements["path"], arrow) != 0 {
		t.Error("an arrow for a dot that has its place")
	}
	if _, elements := drawn(t, SVG(rows(Row{Dots: []float64{11}, Low: 10.5, High: 12}))); countOf(elements["path"], arrow) != 1 {
		t.Error("no arrow")
	}
}

func countOf(paths []xml.StartElement, s Shape) (n int) {
	for _, p := range paths {
		if strings.HasSuffix(attribute(p, "d"), string(s)) {
			n++
		}
	}
	return n
}

func TestLinesHaveGapsWhereNothingIsKnown(t *testing.T) {
	p := &Lines{Title: "course", X: Axis{To: 4}, Y: Axis{To: 1}, Shade: [2]float64{1, 2}, Lines: []Line{
		{Name: "dashed", Color: Green, Dashed: true, Points: [][2]float64{{0, 0}, {1, 1}, {2, math.NaN()}, {3, 1}, {4, 0}}},
	}}
	_, elements := drawn(t, SVG(p))
	for _, e := range elements["path"] {
		if d := attribute(e, "d"); attribute(e, "stroke") == Green && strings.Contains(d, "L") {
			if strings.Count(d, "M") != 2 || strings.Count(d, "L") != 2 || attribute(e, "stroke-dasharray") == "" {
				t.Errorf("the line is %s", d)
			}
			return
		}
	}
	t.Error("no line")
}

func TestWhatIsNoNumberIsNotDrawn(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, p := range map[string]Plot{
		"rows without anything":    &Rows{},
		"rows of zeros":            rows(Row{Bars: []float64{0, 0}, Dots: []float64{0, 0}}),
		"rows of no numbers":       rows(Row{Bars: []float64{nan, -1}, Dots: []float64{inf, nan}, Low: nan, High: inf}),
		"rows without an axis":     &Rows{Keys: rows().Keys, Rows: []Row{{Dots: []float64{1, 2}, Low: 1, High: 2}}},
		"rows over logarithms":     &Rows{Axis: Axis{Log: true}, Keys: rows().Keys, Rows: []Row{{Dots: []float64{0, -1}, Bars: []float64{1, 2}}}},
		"lines without anything":   &Lines{},
		"a line without an axis":   &Lines{Lines: []Line{{Points: [][2]float64{{1, 1}, {2, 2}}}}},
		"lines over a broken axis": &Lines{X: Axis{To: nan}, Y: Axis{Log: true, From: 1, To: inf}, Shade: [2]float64{nan, inf}, Lines: []Line{{Points: [][2]float64{{inf, 0}, {1, nan}}}}},
	} {
		svg := SVG(p)
		drawn(t, svg)
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: %s", name, svg)
		}
	}
}

// At the beginning of the axis it would be read as a value, too.
func TestOnlyWhatHasAPlaceIsMarked(t *testing.T) {
	const keys = 1 // of each shape
	linear := rows(Row{Dots: []float64{math.NaN(), 5}}, Row{Dots: []float64{math.Inf(1), 0}})
	log := rows(Row{Dots: []float64{0, 5}})
	log.Axis = Axis{Log: true, From: 1, To: 10}
	for name, c := range map[string]struct {
		plot          *Rows
		first, second int
	}{"linear": {linear, 0, 2}, "of logarithms": {log, 0, 1}} {
		_, elements := drawn(t, SVG(c.plot))
		if first, second := countOf(elements["path"], Circle)-keys, countOf(elements["path"], Diamond)-keys; first != c.first || second != c.second {
			t.Errorf("%s: %d and %d dots, want %d and %d", name, first, second, c.first, c.second)
		}
	}
}

func TestASheetHoldsAllPlotsApart(t *testing.T) {
	texts, elements := drawn(t, Sheet("all of <them>", 2, &Lines{Title: "one"}, &Lines{Title: "two"}, &Lines{Title: "three"}))
	for _, want := range []string{"all of <them>", "one", "two", "three"} {
		if !strings.Contains(texts, want) {
			t.Errorf("%q is not on the sheet", want)
		}
	}
	places := map[string]bool{}
	for _, g := range elements["g"] {
		places[attribute(g, "transform")] = true
	}
	if len(places) != 3 {
		t.Errorf("three plots at %d places", len(places))
	}
}
