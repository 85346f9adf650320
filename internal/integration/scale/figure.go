package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/fairlead-go/fairlead/internal/environment"
)

// figure is one thing that was measured.
type figure struct {
	Part  string  `json:"part"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Low and High are the extremes over the rounds, where there were several.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
	// Aim is what the value is to be at most; 0: it is there to be known.
	Aim float64 `json:"aim,omitempty"`
}

// report is all that was measured; with -json its last line.
type report struct {
	Environment environment.Environment `json:"environment"`
	Sizes       sizes                   `json:"sizes"`
	Figures     []figure                `json:"figures"`

	part string // that is being measured
}

func (r *report) add(name string, value float64, unit string) {
	r.Figures = append(r.Figures, figure{Part: r.part, Name: name, Value: value, Unit: unit})
}

func (r *report) addTime(name string, d time.Duration) {
	r.add(name, d.Seconds()*1000, "ms")
}

// addShare is a time as a share of another, in per cent of one CPU.
func (r *report) addShare(name string, cpu, elapsed time.Duration) {
	r.add(name, 100*cpu.Seconds()/elapsed.Seconds(), "% of a CPU")
}

func (r *report) addBytes(name string, bytes int64) {
	r.add(name, float64(bytes)/1e6, "MB")
}

// addRounds is the median of one value per round.
func (r *report) addRounds(name string, values []float64, unit string) {
	sorted := slices.Sorted(slices.Values(values))
	r.Figures = append(r.Figures, figure{Part: r.part, Name: name, Value: median(sorted), Unit: unit, Low: sorted[0], High: sorted[len(sorted)-1]})
}

// addRatio is the median of one ratio per round.
func (r *report) addRatio(name string, over, under []float64, aim float64) {
	ratios := make([]float64, len(over))
	for n := range over {
		ratios[n] = over[n] / under[n]
	}
	r.addRounds(name, ratios, "×")
	r.aim(aim)
}

// aim is that of the figure added last.
func (r *report) aim(atMost float64) { r.Figures[len(r.Figures)-1].Aim = atMost }

// value returns a figure, for tests and later figures; NaN if there is none.
func (r *report) value(part, name string) float64 {
	for _, f := range r.Figures {
		if f.Part == part && f.Name == name {
			return f.Value
		}
	}
	return math.NaN()
}

// print writes the figures from the first of them on.
func (r *report) print(w io.Writer, first int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures[first:] {
		fmt.Fprintf(table, "  %s\t%s %s", f.Name, significant(f.Value), f.Unit)
		if f.Low != f.High {
			fmt.Fprintf(table, " [%s, %s]", significant(f.Low), significant(f.High))
		}
		if f.Aim != 0 {
			verdict := "met"
			if f.Value > f.Aim {
				verdict = "missed"
			}
			fmt.Fprintf(table, "\taim ≤ %s: %s", significant(f.Aim), verdict)
		}
		fmt.Fprintln(table)
	}
	table.Flush()
}

// significant is a number in three figures.
func significant(v float64) string {
	if v == 0 || math.Abs(v) >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func (r *report) printJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// median of a sorted list that is not empty.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile of a list that is not empty: the smallest value that at least the
// share q of all do not exceed.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
