package plot

import (
	"math"
	"strconv"
)

// Axis maps values to places.
type Axis struct {
	Name     string
	From, To float64
	Log      bool
	Ticks    []Tick // nil: at round values
}

// Tick is a mark on an axis.
type Tick struct {
	At   float64
	Text string
}

// Over is the axis, made long enough for values. The axis of logarithms begins
// and ends at round ones; it has no place for what is not above 0.
func (a Axis) Over(values ...float64) Axis {
	for _, v := range values {
		if !finite(v) || a.Log && v <= 0 {
			continue
		}
		if a.Log && !(a.From > 0) { // the first value
			a.From, a.To = v, v
		}
		a.From, a.To = min(a.From, v), max(a.To, v)
	}
	if a.Log && a.From > 0 {
		a.From = floor(a.From)
		a.To = max(ceil(a.To), ceil(1.01*a.From))
	}
	return a
}

// place is where a value is on the axis, from 0 to 1.
func (a *Axis) place(v float64) float64 {
	from, to := a.From, a.To
	if a.Log {
		v, from, to = math.Log(v), math.Log(from), math.Log(to)
	}
	if share := (v - from) / (to - from); finite(share) {
		return min(max(share, 0), 1)
	}
	return 0
}

// ticks are those that are given, or round values.
func (a *Axis) ticks() []Tick {
	if a.Ticks != nil {
		return a.Ticks
	}
	var all []Tick
	add := func(v float64) { all = append(all, Tick{At: v, Text: strconv.FormatFloat(v, 'f', -1, 32)}) }
	switch length := a.To - a.From; {
	case !finite(length) || length < 1e-9 || a.Log && a.From <= 0:
	case a.Log:
		for v := ceil(a.From); v <= a.To*(1+1e-9); v = ceil(v * 1.01) {
			if leading(v) == 1 || a.To/a.From < 200 {
				add(v)
			}
		}
		if len(all) > 5 { // their texts would touch each other
			for i := range all {
				if leading(all[i].At) != 1 {
					all[i].Text = ""
				}
			}
		}
	default:
		step := step(length)
		for n := math.Ceil(a.From/step - 1e-9); n*step <= a.To+1e-9*length; n++ {
			add(n*step + 0) // never -0
		}
	}
	return all
}

// step is the round one of which at most six fit into a length.
func step(length float64) float64 {
	for unit := power(length / 10); ; unit *= 10 {
		for _, n := range []float64{1, 2, 5} {
			if length/(n*unit) <= 6 {
				return n * unit
			}
		}
	}
}

// The round values are 1, 2 and 5 times the powers of ten.

func floor(v float64) float64 {
	for _, n := range []float64{5, 2} {
		if leading(v) >= n {
			return n * power(v)
		}
	}
	return power(v)
}

func ceil(v float64) float64 {
	for _, n := range []float64{1, 2, 5} {
		if leading(v) <= n {
			return n * power(v)
		}
	}
	return 10 * power(v)
}

// power is the highest power of ten that is not above a value.
func power(v float64) float64 { return math.Pow(10, math.Floor(math.Log10(v)+1e-9)) }

// leading is the value in parts of that power.
func leading(v float64) float64 { return math.Round(v/power(v)*1e9) / 1e9 }
