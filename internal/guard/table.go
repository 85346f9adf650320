package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// list prints what was found of each limit.
func list(out io.Writer, all []*measurement) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "line\tlimited\tsamples\tis\tlimit\theadroom\t")
	for _, m := range all {
		value, most := fmt.Sprintf("%.2f×", m.value()), fmt.Sprintf("%.2f×", m.most)
		if m.kind == allocs {
			value, most = fmt.Sprintf("%v allocs", m.value()), fmt.Sprintf("%v allocs", m.most)
		}
		verdict := ""
		if !m.holds() {
			verdict = "FAILS"
		}
		fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\t%s\t%s\n", m.line, m.limit, len(m.samples), value, most, m.headroom(), verdict)
	}
	table.Flush()
}

// err says what is wrong, for one who has not seen the limit.
func (m *measurement) err() error {
	if m.kind == allocs {
		return fmt.Errorf("line %d: %s: %v allocations to an operation, allowed are %v: %s", m.line, m.limit, m.value(), m.most, m.reason)
	}
	return fmt.Errorf("line %d: %s is %.3f, the median of %d samples, allowed is %v: %s", m.line, m.limit, m.value(), len(m.samples), m.most, m.reason)
}
