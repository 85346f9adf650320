package report

import (
	"math"
	"testing"

	"github.com/fairlead-go/fairlead/examples/internal/plot"
)

func TestCostsAreSplitByWhoUsedThem(t *testing.T) {
	g := &sample().groups[0]
	for i, row := range g.costs().(*plot.Rows).Rows {
		client, servers, proxies := row.Bars[0], row.Bars[1], row.Bars[2]
		if sum := g.rows[i].CPU; row.Name != g.rows[i].Variant || math.Abs(client+servers+proxies-sum) > 0.02*sum || row.Low > sum || row.High < sum {
			t.Errorf("%s: %v of [%v, %v], want %v in all", row.Name, row.Bars, row.Low, row.High, sum)
		}
		if proxied := g.rows[i].ProxyCPU > 0; servers <= 0 || proxied != (proxies > 0) {
			t.Errorf("%s: %v", row.Name, row.Bars)
		}
	}
}

// Who looks for three parts in a hundred must see them beside a proxy.
func TestProxiesDoNotHideSmallRatios(t *testing.T) {
	g := &sample().groups[0]
	p := g.dots(figures()[0], "").(*plot.Rows)
	if p.Axis.To > most || p.Axis.From > 0.98 {
		t.Errorf("the axis is from %v to %v", p.Axis.From, p.Axis.To)
	}
	beyond := 0
	for i, row := range p.Rows {
		of := g.ratios[i*len(figures())]
		if row.Name != of.Variant || row.Dots[0] != of.Median || row.Low != of.Low || row.High != of.High || row.Text != of.text(3) {
			t.Errorf("%+v, want %+v", row, of)
		}
		if row.Dots[0] > p.Axis.To {
			beyond++
		}
		if row.Name == Again && p.Shade != [2]float64{row.Low, row.High} {
			t.Errorf("shaded is %v, the interval of A/A is [%v, %v]", p.Shade, row.Low, row.High)
		}
	}
	if len(p.Rows) != len(g.lanes)-1 || beyond != 3 {
		t.Errorf("%d ratios, %d beyond the axis, want %d and 3", len(p.Rows), beyond, len(g.lanes)-1)
	}
}

// A whisker that ended where the axis does would look shorter than it is.
func TestTheAxisBeginsBeforeAllIntervals(t *testing.T) {
	g := &group{lanes: []*Lane{{Name: "plain"}}, ratios: []Comparison{
		{Variant: Again, Metric: "p99_us", Estimate: Estimate{Median: 2, Low: 0.1, High: 40}},
		{Variant: "other", Metric: "p99_us", Estimate: Estimate{Median: 1.1, Low: 0.4, High: 3}},
	}}
	if axis := g.dots(figureOf("p99_us"), "").(*plot.Rows).Axis; axis.From > 0.1 || axis.To < 3 || axis.To > 4 {
		t.Errorf("the axis is from %v to %v", axis.From, axis.To)
	}
}
