package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/fairlead-go/fairlead/examples/internal/plot"
)

//go:embed page.html
var pageHTML string

// page writes one that needs nothing but itself. It is XML, too.
func (r *Report) page(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{"stacked": stacked}).Parse(pageHTML)
	if err != nil {
		return err
	}
	p := page{Report: r, Overview: r.overview(), Facts: r.facts()}
	for i := range r.groups {
		g := &r.groups[i]
		s := section{
			ID: g.id(), Title: g.Title(), Hop: g.hop(),
			Figures: named{"Figures", g.figures(false)},
			Ratios:  named{"Ratios to " + g.lanes[0].Name + ", and the CPU that is added to it", g.comparisons(false)},
			Matrix:  named{"CPU of a request of any lane ÷ that of any other", g.matrix()},
		}
		for _, of := range g.plots() {
			s.Plots = append(s.Plots, template.HTML(plot.SVG(of))) // which escapes what it is given
		}
		p.Sections = append(p.Sections, s)
	}
	return t.Execute(w, p)
}

type page struct {
	*Report
	Overview table
	Facts    table // of the environment
	Sections []section
}

type section struct {
	ID, Title, Hop          string
	Plots                   []template.HTML
	Figures, Ratios, Matrix named
}

type named struct {
	Name string
	Rows table
}

// Filled says that a table has more than its head.
func (t table) Filled() bool { return len(t) > 1 }

// stacked has the interval in a line below the median.
func stacked(cell string) string { return strings.Replace(cell, " [", "\n[", 1) }

// id is where the page has it.
func (g *group) id() string {
	return fmt.Sprintf("%s-%d-%d-%s-%s", g.Protocol, g.Payload, g.Concurrency, g.Handler, g.Deadline)
}
