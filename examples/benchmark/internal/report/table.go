package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is one of the terminal: names to the left, figures to the right.
type table [][]string

func (t *table) add(cells ...string) { *t = append(*t, cells) }

func (t table) print(w io.Writer) {
	var widths []int
	for _, row := range t {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t {
		for i, cell := range row {
			room := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				fmt.Fprint(w, "  ", cell, room)
			} else {
				fmt.Fprint(w, "  ", room, cell)
			}
		}
		fmt.Fprintln(w)
	}
}
