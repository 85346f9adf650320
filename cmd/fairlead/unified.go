package main

import (
	"fmt"
	"strings"
)

// around is how many lines are shown around what differs.
const around = 3

// unified says how to get from one text to another, as diff -u does; nothing if
// they are the same.
func unified(fromName, toName, from, to string) string {
	edits := compare(strings.SplitAfter(from, "\n"), strings.SplitAfter(to, "\n"))
	var b strings.Builder
	a, z := 1, 1 // the next line of each text
	for n := 0; n < len(edits); {
		if edits[n].sign == ' ' {
			a, z, n = a+1, z+1, n+1
			continue
		}
		first := max(0, n-around)
		last := n // of what is shown: as far as two changes are close to each other
		for m := n; m < len(edits) && m <= last+2*around; m++ {
			if edits[m].sign != ' ' {
				last = m
			}
		}
		hunk := edits[first:min(len(edits), last+1+around)]
		if b.Len() == 0 {
			fmt.Fprintf(&b, "--- %s\n+++ %s\n", fromName, toName)
		}
		old, new := count(hunk, '-'), count(hunk, '+')
		fmt.Fprintf(&b, "@@ -%s +%s @@\n", extent(a-(n-first), old), extent(z-(n-first), new))
		for _, e := range hunk {
			b.WriteByte(e.sign)
			b.WriteString(strings.TrimSuffix(e.line, "\n"))
			b.WriteByte('\n')
		}
		a, z = a-(n-first)+old, z-(n-first)+new
		n = first + len(hunk)
	}
	return b.String()
}

// edit is a line that stays, ' ', goes, '-', or comes, '+'.
type edit struct {
	sign byte
	line string
}

// count counts the lines of one side.
func count(edits []edit, side byte) (n int) {
	for _, e := range edits {
		if e.sign == ' ' || e.sign == side {
			n++
		}
	}
	return n
}

func extent(first, lines int) string {
	if lines == 0 {
		first-- // the line after which it would be
	}
	return fmt.Sprintf("%d,%d", first, lines)
}

// mostCells bounds what comparing may cost. Texts that differ more are taken to
// have nothing in common.
const mostCells = 4 << 20

// compare finds the longest common part of what lies between a common beginning
// and a common end.
func compare(from, to []string) (edits []edit) {
	from, to = lines(from), lines(to)
	head := 0
	for head < min(len(from), len(to)) && from[head] == to[head] {
		edits = append(edits, edit{' ', from[head]})
		head++
	}
	from, to = from[head:], to[head:]
	tail := 0
	for tail < min(len(from), len(to)) && from[len(from)-1-tail] == to[len(to)-1-tail] {
		tail++
	}
	end := from[len(from)-tail:]
	from, to = from[:len(from)-tail], to[:len(to)-tail]

	same := make([][]int, len(from)+1) // the length of the longest common part of what follows
	if len(from)*len(to) > mostCells {
		same = nil
	}
	for i := len(same) - 1; i >= 0; i-- {
		same[i] = make([]int, len(to)+1)
		for j := len(to) - 1; j >= 0 && i < len(from); j-- {
			if from[i] == to[j] {
				same[i][j] = same[i+1][j+1] + 1
			} else {
				same[i][j] = max(same[i+1][j], same[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(from) || j < len(to) {
		switch {
		case i < len(from) && j < len(to) && same != nil && from[i] == to[j]:
			edits = append(edits, edit{' ', from[i]})
			i, j = i+1, j+1
		case i < len(from) && (j == len(to) || same == nil || same[i+1][j] >= same[i][j+1]):
			edits = append(edits, edit{'-', from[i]})
			i++
		default:
			edits = append(edits, edit{'+', to[j]})
			j++
		}
	}
	for _, line := range end {
		edits = append(edits, edit{' ', line})
	}
	return edits
}

// lines drops the empty rest after the last line break.
func lines(all []string) []string {
	if len(all) > 0 && all[len(all)-1] == "" {
		return all[:len(all)-1]
	}
	return all
}
