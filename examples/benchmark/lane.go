package main

import (
	"slices"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
)

// lane is a row to be, and where its clients call.
type lane struct {
	report.Lane
	way
	site site
}

// add adds a way to the lanes of a trial, and its base where that is not yet among
// them. The first base runs twice, to be compared with itself.
func (t *trial) add(w way) {
	base := w.base(t.Protocol)
	for _, w := range []way{base, w} {
		if slices.ContainsFunc(t.lanes, func(l *lane) bool { return l.way == w }) {
			continue
		}
		t.lanes = append(t.lanes, &lane{way: w, Lane: report.Lane{Name: w.name, Variant: w.variant, Base: base.name}})
		if len(t.lanes) == 1 {
			again := lane{way: w, Lane: report.Lane{Name: report.Again, Variant: w.variant, Base: base.name}}
			t.lanes = append(t.lanes, &again)
		}
	}
}
