package plot

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestTicksAreRoundValuesWithinTheAxis(t *testing.T) {
	for _, c := range []struct {
		name string
		axis Axis
		want string
	}{
		{"from nothing", Axis{To: 41}, "0 10 20 30 40"},
		{"parts of one", Axis{To: 1}, "0 0.2 0.4 0.6 0.8 1"},
		{"a narrow range", Axis{From: 0.98, To: 1.05}, "0.98 1 1.02 1.04"},
		{"large values", Axis{To: 240000}, "0 50000 100000 150000 200000"},
		{"around nothing", Axis{From: -5, To: 5}, "-4 -2 0 2 4"},
		{"few powers of ten, and between", Axis{Log: true, From: 50, To: 1000}, "50 100 200 500 1000"},
		{"between, without texts", Axis{Log: true, From: 50, To: 2000}, " 100   1000 "},
		{"many powers of ten", Axis{Log: true, From: 1, To: 1000}, "1 10 100 1000"},
		{"no length", Axis{From: 3, To: 3}, ""},
		{"no values at all", Axis{Log: true}, ""},
		{"no number", Axis{To: math.NaN()}, ""},
		{"no end", Axis{To: math.Inf(1)}, ""},
		{"given", Axis{To: 9, Ticks: []Tick{{1, "one"}}}, "one"},
	} {
		var got []string
		for _, tick := range c.axis.ticks() {
			got = append(got, tick.Text)
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAnAxisIsMadeLongEnough(t *testing.T) {
	for _, c := range []struct {
		name     string
		axis     Axis
		values   []float64
		from, to float64
	}{
		{"longer", Axis{From: 1, To: 2}, []float64{0.5, 3}, 0.5, 3},
		{"long enough", Axis{To: 9}, []float64{3}, 0, 9},
		{"without what is no number", Axis{To: 9}, []float64{math.NaN(), math.Inf(1)}, 0, 9},
		{"of logarithms, to round values", Axis{Log: true}, []float64{130, 0, 4100, -1}, 100, 5000},
		{"of logarithms, with one value", Axis{Log: true}, []float64{100}, 100, 200},
		{"of logarithms, with none", Axis{Log: true}, nil, 0, 0},
	} {
		if got := c.axis.Over(c.values...); math.Abs(got.From-c.from) > 1e-9 || math.Abs(got.To-c.to) > 1e-9 {
			t.Errorf("%s: from %v to %v, want %v to %v", c.name, got.From, got.To, c.from, c.to)
		}
	}
}

func TestPlacesAreWithinTheAxis(t *testing.T) {
	linear, log := Axis{To: 10}, Axis{Log: true, From: 1, To: 100}
	for _, c := range []struct {
		name string
		axis *Axis
		at   []float64
		want []float64
	}{
		{"linear", &linear, []float64{0, 5, 10, -1, 11}, []float64{0, 0.5, 1, 0, 1}},
		{"of logarithms", &log, []float64{1, 10, 100, 0, 1000}, []float64{0, 0.5, 1, 0, 1}},
		{"none", &Axis{}, []float64{0, 1, math.NaN()}, []float64{0, 0, 0}},
	} {
		var got []float64
		for _, v := range c.at {
			got = append(got, c.axis.place(v))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v are at %v, want %v", c.name, c.at, got, c.want)
		}
	}
}
