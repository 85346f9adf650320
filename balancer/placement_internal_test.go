package balancer

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestDistance(t *testing.T) {
	here := Locality{Region: "eu", Zone: "eu-a"}
	for _, tt := range []struct {
		name         string
		own          Locality
		region, zone string
		want         Distance
	}{
		{"the same zone", here, "eu", "eu-a", SameZone},
		{"the same region", here, "eu", "eu-b", SameRegion},
		{"another region", here, "us", "us-a", Elsewhere},
		{"another region with a zone of the name", here, "us", "eu-a", Elsewhere},
		{"no place", here, "", "", Elsewhere},
		{"a zone, and no region", here, "", "eu-a", SameZone},
		{"another zone, and no region", here, "", "eu-b", Elsewhere},
		{"a region, and no zone", here, "eu", "", SameRegion},
		{"own region not known: the zone", Locality{Zone: "eu-a"}, "eu", "eu-a", SameZone},
		{"own region not known: another zone", Locality{Zone: "eu-a"}, "eu", "eu-b", Elsewhere},
		{"neither region known: another zone", Locality{Zone: "eu-a"}, "", "eu-b", Elsewhere},
		{"own zone not known", Locality{Region: "eu"}, "eu", "eu-a", SameRegion},
		{"nothing known of oneself", Locality{}, "eu", "eu-a", Anywhere},
		{"the region is preferred: the same zone", Locality{"eu", "eu-a", PreferRegion}, "eu", "eu-a", SameRegion},
		{"the region is preferred: another zone", Locality{"eu", "eu-a", PreferRegion}, "eu", "eu-b", SameRegion},
		{"the region is preferred, and not known", Locality{"", "eu-a", PreferRegion}, "eu", "eu-a", Anywhere},
		{"nothing is preferred", Locality{"eu", "eu-a", PreferNone}, "eu", "eu-a", Anywhere},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.own.distance(&discovery.Instance{Region: tt.region, Zone: tt.zone}); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// inZones returns nodes of the default weight: so many in each zone of each
// region, in the order of their names.
func inZones(counts map[string]int) (nodes []*Node) {
	for _, zone := range []string{"eu-a", "eu-b", "eu-c", "us-a", "us-b", ""} {
		for range counts[zone] {
			region, _, _ := strings.Cut(zone, "-")
			nodes = append(nodes, NewNode(discovery.Instance{ID: fmt.Sprintf("i%05d", len(nodes)), Region: region, Zone: zone}, len(nodes)))
		}
	}
	return nodes
}

// Before anything is measured a level is given what its capacity says, if as
// many calls come from each zone.
func TestRoom(t *testing.T) {
	here := Locality{Region: "eu", Zone: "eu-a"}
	for _, tt := range []struct {
		name   string
		own    Locality
		counts map[string]int
		want   []float64 // what each level keeps of what comes to it
	}{
		{"all zones alike", here, map[string]int{"eu-a": 10, "eu-b": 10, "eu-c": 10}, []float64{1, 1}},
		{"a little smaller", here, map[string]int{"eu-a": 8, "eu-b": 10, "eu-c": 10}, []float64{1, 1}},
		{"one instance, in a zone of one instance each", here, map[string]int{"eu-a": 1, "eu-b": 1, "eu-c": 1}, []float64{1, 1}},
		{"one instance of 21", here, map[string]int{"eu-a": 1, "eu-b": 10, "eu-c": 10}, []float64{0.2, 1}},
		{"a zone has no more room than its region", here, map[string]int{"eu-a": 2, "us-a": 9, "us-b": 9}, []float64{0.28, 1}},
		{"a small zone of a small region", here, map[string]int{"eu-a": 1, "eu-b": 1, "us-a": 18}, []float64{0.21, 0.07 / 0.79, 1}},
		{"only here", here, map[string]int{"eu-a": 3}, []float64{1}},
		{"only elsewhere", here, map[string]int{"us-a": 3}, []float64{1}},
		{"many are of no known place", here, map[string]int{"eu-a": 10, "": 90}, []float64{0.28, 1}},
		{"its own region is not known", Locality{Zone: "eu-a"}, map[string]int{"eu-a": 10, "us-a": 10}, []float64{1, 1}},
		{"its own region is not known, in a small zone", Locality{Zone: "eu-a"}, map[string]int{"eu-a": 2, "us-a": 18}, []float64{0.28, 1}},
		{"by region", Locality{Region: "eu", Prefer: PreferRegion}, map[string]int{"eu-a": 1, "eu-b": 1, "us-a": 18}, []float64{0.28, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parts := (&placement{locality: tt.own, subset: Subset{Off: true}}).divide(inZones(tt.counts), nil)
			if len(parts) != len(tt.want) {
				t.Fatalf("%d levels, want %d", len(parts), len(tt.want))
			}
			for i, p := range parts {
				if math.Abs(p.keeps-tt.want[i]) > 0.001 {
					t.Errorf("%s keeps %.3f, want %.3f", p.distance, p.keeps, tt.want[i])
				}
			}
		})
	}
}

// An instance is of the first tier whose labels it has; those of none are last.
func TestTierOf(t *testing.T) {
	tiers := []Tier{
		{"primary", map[string]string{"pool": "fast", "version": "2"}},
		{"fast", map[string]string{"pool": "fast"}},
		{"here", map[string]string{"zone": "eu-a"}},
	}
	for _, tt := range []struct {
		name     string
		instance discovery.Instance
		want     int
	}{
		{"all labels of the first", discovery.Instance{Version: "2", Meta: map[string]string{"pool": "fast"}}, 0},
		{"one of the labels", discovery.Instance{Version: "1", Meta: map[string]string{"pool": "fast"}}, 1},
		{"of two tiers: the first", discovery.Instance{Zone: "eu-a", Meta: map[string]string{"pool": "fast"}}, 1},
		{"a field of its own", discovery.Instance{Zone: "eu-a"}, 2},
		{"metadata of that name", discovery.Instance{Meta: map[string]string{"zone": "eu-a"}}, 2},
		{"none", discovery.Instance{Meta: map[string]string{"pool": "slow"}}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tierOf((Balancing{Tiers: tiers}).placement().demands, &tt.instance); got != tt.want {
				t.Errorf("tier %d, want %d", got, tt.want)
			}
		})
	}
}

// The parts of a choice hold each of its nodes once, in their order.
func TestPartsHoldAllNodes(t *testing.T) {
	nodes := inZones(map[string]int{"eu-a": 3, "eu-b": 2, "us-a": 4, "": 1})
	p := Balancing{
		Tiers:    []Tier{{"b", map[string]string{"zone": "eu-b"}}, {"nobody", map[string]string{"zone": "mars"}}},
		Locality: Locality{Region: "eu", Zone: "eu-a"},
		Subset:   Subset{Off: true},
	}.placement()
	parts := p.divide(nodes, nil)
	var all []string
	for _, part := range parts {
		all = append(all, fmt.Sprintf("%d/%s:%d", part.tier, part.distance, len(part.nodes)))
	}
	if got, want := strings.Join(all, " "), "0/region:2 2/zone:3 2/elsewhere:5"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	whole := union(nodes, nil, parts, func(p *part) []*Node { return p.nodes })
	if len(whole) != len(nodes) || &whole[0] != &nodes[0] {
		t.Error("the union of all is not all")
	}
	if got := p.divide(nil, nil); len(got) != 1 || len(got[0].nodes) != 0 {
		t.Errorf("of nobody: %v", got)
	}
}
