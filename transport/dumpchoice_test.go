package transport_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// The dump tells policies of one name apart, and how the calls are divided.
func TestDumpOfChoices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := places("near-a", "near-b", "far-a", "far-b")
		all[0].Meta, all[2].Meta = map[string]string{"pool": "own"}, map[string]string{"pool": "own"}
		for _, tt := range []struct {
			balancing balancer.Balancing
			settings  string
			parts     []string
		}{
			{balancer.Balancing{}, "", nil},
			{balancer.Balancing{Policy: balancer.LeastRequest{}}, "", nil},
			{balancer.Balancing{Policy: balancer.LeastRequest{FullScan: true}}, `{"fullScan":true}`, nil},
			{balancer.Balancing{Policy: balancer.RingHash{BalanceFactor: 1.25}}, `{"balanceFactor":1.25}`, nil},
			{balancer.Balancing{Policy: balancer.Prequal{MaxAge: time.Second}}, `{"maxAgeNs":1000000000}`, nil},
			{balancer.Balancing{Policy: balancer.WeightedRoundRobin{Reported: true, ReportedWeights: balancer.ReportedWeights{BlackoutPeriod: -1}}}, `{"reported":true,"blackoutPeriodNs":-1}`, nil},
			{balancer.Balancing{Policy: balancer.PolicyFunc(balancer.Random{}.Picker)}, "", nil},
			{balancer.Balancing{Policy: odd{func() {}}}, "", nil},
			{balancer.Balancing{Policy: new(fairleadtest.Picks)}, "", nil},
			{balancer.Balancing{Locality: balancer.Locality{Zone: "near"}, Tiers: []balancer.Tier{{Name: "own", Labels: map[string]string{"pool": "own"}}}}, "",
				[]string{"own zone", "own elsewhere", " zone", " elsewhere"}},
		} {
			m := knowing(t, newMesh(t, fairleadtest.NewFleet(all...), transport.WithBalancing(tt.balancing)))
			d := service(t, m).Choices[""]
			var parts []string
			sum := 0.0
			for _, p := range d.Parts {
				parts = append(parts, p.Tier+" "+p.Distance.String())
				sum += p.Share
				if p.Instances != 1 || p.Called != 1 || p.Well != 1 || p.Eligible != 1 || p.Mode != balancer.Normal {
					t.Errorf("a part is %+v", p)
				}
			}
			if string(d.Settings) != tt.settings || !slices.Equal(parts, tt.parts) || len(parts) > 0 && math.Abs(sum-1) > 1e-6 {
				t.Errorf("%+v: settings %s, parts %q, which get %v of the calls", tt.balancing, d.Settings, parts, sum)
			}
			if _, err := json.Marshal(m.Dump()); err != nil {
				t.Error(err)
			}
		}
	})
}

// What rules narrow calls down to shows with its own parts.
func TestDumpOfSelections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := places("near-a", "near-b", "far-a", "far-b")
		for n := range all {
			all[n].Version = []string{"v1", "v2"}[n%2]
		}
		g := governed{fairleadtest.NewFleet(all...), new(fairleadtest.Rulebook)}
		p := ordersPolicy(to("v2"))
		p.Spec.Filters = []rule.Filter{{Name: "never", Keep: map[string]rule.Text{"zone": {Exact: "far"}}, Match: []rule.Match{{Method: "PUT"}}},
			{Name: "no x", Drop: map[string]rule.Text{"zone": {Exact: "x"}}}}
		m := obeying(t, g, p, transport.WithLocality("", "near"))
		if d := service(t, m).Selections; len(d) != 0 {
			t.Errorf("before a call: %+v", d)
		}
		call := get()
		call.Request = new(seen)
		if err := m.Do(t.Context(), call, g.Door(m)); err != nil {
			t.Fatal(err)
		}
		d := service(t, m).Selections
		if len(d) != 1 || d[0].Subset != "v2" || !slices.Equal(d[0].Filters, []string{"no x"}) || d[0].Lane != "" || d[0].Protocol != discovery.HTTP ||
			d[0].Policy != "p2c-ewma" || d[0].Instances != 2 || len(d[0].Parts) != 2 || d[0].Parts[1].Distance != balancer.Elsewhere {
			t.Errorf("got %+v", d)
		}
		text, err := json.Marshal(d)
		if err != nil || !strings.HasPrefix(string(text), `[{"subset":"v2","filters":["no x"],"protocol":"http","policy":"p2c-ewma","mode":"normal","instances":2,`) {
			t.Errorf("in JSON: %s, %v", text, err)
		}
	})
}

// odd is somebody's own policy, which no JSON can say.
type odd struct{ Do func() }

func (odd) Picker(c balancer.Candidates) balancer.Picker { return balancer.Random{}.Picker(c) }
func (odd) String() string                               { return "odd" }

// The metric of shares has one value for each tier and distance, whatever
// protocols instances name, and together they are all calls.
func TestMetricOfShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := places("near-a", "near-b", "near-c", "far-a", "far-b", "far-c")
		for n := range all {
			for protocol := range n {
				all[n].Endpoints = append(all[n].Endpoints, discovery.Endpoint{Protocol: discovery.Protocol(fmt.Sprintf("p%d", protocol)), Addr: all[n].Addr})
			}
		}
		meters := new(meters)
		m := newMesh(t, fairleadtest.NewFleet(all...), transport.WithMeterProvider(meters), transport.WithLocality("", "near"),
			transport.WithBalancing(balancer.Balancing{Tiers: []balancer.Tier{{Name: "first", Labels: map[string]string{"id": "near-a"}}}}))
		knowing(t, m)
		sum, shares := 0.0, 0
		for name, v := range meters.collect(t).values {
			if strings.HasPrefix(name, "fairlead.balancer.share ") {
				shares++
				sum += v
			}
		}
		if shares != 3 || math.Abs(sum-1) > 1e-6 {
			t.Errorf("%d shares add up to %v", shares, sum)
		}
	})
}
