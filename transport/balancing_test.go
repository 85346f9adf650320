package transport_test

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// What a document says of balancing holds, live; what it does not say is as code
// says; and who is ejected stays so under a change of anything else.
func TestRulesSayWhoMayBeChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("a", "b", "c", "d")
		m := obeying(t, g, ordersPolicy(), transport.WithBalancing(balancer.Balancing{
			Policy: new(fairleadtest.Picks), OutlierDetection: balancer.OutlierDetection{ConsecutiveFailures: 2},
		}))
		fail := func(n int) {
			t.Helper()
			for range 4 * n {
				_ = m.Do(t.Context(), put(), g.Door(m))
			}
			time.Sleep(200 * time.Millisecond)
		}
		put := func(change func(*rule.Spec)) {
			t.Helper()
			p := ordersPolicy()
			change(&p.Spec)
			g.Put(p)
			time.Sleep(200 * time.Millisecond)
		}
		away := func() (n int) {
			for _, i := range service(t, m).Instances {
				if i.Outage != nil {
					n++
				}
			}
			return n
		}
		g.Play("b", fairleadtest.Status(500))
		put(func(s *rule.Spec) { s.OutlierDetection = &rule.OutlierDetection{ConsecutiveFailures: 4} })
		fail(3)
		if n := away(); n != 0 {
			t.Errorf("%d passed over after three failures, the document says four", n)
		}
		fail(1)
		if n := away(); n != 1 {
			t.Errorf("%d passed over after four failures", n)
		}
		put(func(s *rule.Spec) { s.LoadBalancer.Algorithm = "least-request" })
		if n := away(); n != 1 {
			t.Errorf("%d passed over after a change of the algorithm", n)
		}
		if c := service(t, m).Choices["http"]; c.Policy != "" && c.Policy != "least-request" {
			t.Errorf("the choice is %+v", c)
		}
		put(func(s *rule.Spec) { s.OutlierDetection = &rule.OutlierDetection{Off: true} })
		if n := away(); n != 0 {
			t.Errorf("%d passed over although that is off", n)
		}
		put(func(*rule.Spec) {})
		fail(2)
		if n := away(); n != 1 {
			t.Errorf("%d passed over after two failures, as code says", n)
		}
	})
}

// What calls to the same instance have in common is the document's to say; a
// call without it keeps the key that code gave it.
func TestRulesSayWhatToHashOn(t *testing.T) {
	var keys []string
	policy := balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
		return picker(func(r balancer.Request) *balancer.Node { keys = append(keys, r.Key); return c.Nodes[0] })
	})
	p := ordersPolicy()
	p.Spec.LoadBalancer.HashOn = "cookie:sid"
	g := versions("a")
	m := obeying(t, g, p, transport.WithPolicy(policy))
	keys = nil
	for _, tt := range []struct{ cookie, key, want string }{
		{"sid=7; theme=dark", "", "7"},
		{`theme=dark;sid="8"`, "by-code", "8"},
		{"theme=dark", "by-code", "by-code"},
		{"", "", ""},
	} {
		c := get()
		c.Key = tt.key
		c.Request = &seen{header: map[string]string{"cookie": tt.cookie}}
		if err := m.Do(t.Context(), c, g.Door(m)); err != nil {
			t.Fatal(err)
		}
		if got := keys[len(keys)-1]; got != tt.want {
			t.Errorf("cookie %q, key %q: hashed on %q, want %q", tt.cookie, tt.key, got, tt.want)
		}
	}
}

// What a document says holds, field by field; what it does not say is as code
// says, also of the settings of the algorithm that both name.
func TestDocumentAndCodeTogether(t *testing.T) {
	own := map[string]string{"cluster": "a"}
	code := balancer.Balancing{
		Policy: balancer.RingHash{MinSize: 4096, BalanceFactor: 2}, Tiers: []balancer.Tier{{Name: "code", Labels: own}},
		Locality: balancer.Locality{Region: "eu", Zone: "eu-1", Prefer: balancer.PreferRegion}, Subset: balancer.Subset{Size: 7, Seed: "me"},
	}
	with := func(change func(*balancer.Balancing)) balancer.Balancing {
		b := code
		change(&b)
		return b
	}
	for _, tt := range []struct {
		name string
		says rule.LoadBalancer
		code balancer.Balancing
		want balancer.Balancing
	}{
		{"nothing", rule.LoadBalancer{}, code, code},
		{"zone", rule.LoadBalancer{LocalityPreference: "zone"}, code, with(func(b *balancer.Balancing) { b.Locality.Prefer = balancer.PreferZone })},
		{"region", rule.LoadBalancer{LocalityPreference: "region"}, code, code},
		{"no place", rule.LoadBalancer{LocalityPreference: "none"}, code, with(func(b *balancer.Balancing) { b.Locality.Prefer = balancer.PreferNone })},
		{"priorities", rule.LoadBalancer{Priorities: []rule.Subset{{Name: "own", Labels: own}}}, code, with(func(b *balancer.Balancing) { b.Tiers = []balancer.Tier{{Name: "own", Labels: own}} })},
		{"no priorities", rule.LoadBalancer{Priorities: []rule.Subset{}}, code, with(func(b *balancer.Balancing) { b.Tiers = []balancer.Tier{} })},
		{"a size", rule.LoadBalancer{SubsetSize: 20}, code, with(func(b *balancer.Balancing) { b.Subset.Size = 20 })},
		{"a size where code has it off", rule.LoadBalancer{SubsetSize: 20}, balancer.Balancing{Subset: balancer.Subset{Off: true}}, balancer.Balancing{Subset: balancer.Subset{Size: 20}}},
		{"no subset", rule.LoadBalancer{SubsetSize: -1}, code, with(func(b *balancer.Balancing) { b.Subset = balancer.Subset{Off: true, Seed: "me"} })},
		{"the algorithm of code", rule.LoadBalancer{Algorithm: "ring-hash"}, code, code},
		{"another bound", rule.LoadBalancer{Algorithm: "ring-hash", HashBalanceFactor: 125}, code, with(func(b *balancer.Balancing) { b.Policy = balancer.RingHash{MinSize: 4096, BalanceFactor: 1.25} })},
		{"no bound", rule.LoadBalancer{Algorithm: "ring-hash", HashBalanceFactor: -1}, code, with(func(b *balancer.Balancing) { b.Policy = balancer.RingHash{MinSize: 4096} })},
		{"another algorithm", rule.LoadBalancer{Algorithm: "maglev"}, code, with(func(b *balancer.Balancing) { b.Policy = balancer.Maglev{} })},
		{"a bound of it", rule.LoadBalancer{Algorithm: "maglev", HashBalanceFactor: 150}, code, with(func(b *balancer.Balancing) { b.Policy = balancer.Maglev{BalanceFactor: 1.5} })},
		{"full scan", rule.LoadBalancer{Algorithm: "least-request", SelectionMethod: "full-scan"}, balancer.Balancing{}, balancer.Balancing{Policy: balancer.LeastRequest{FullScan: true}}},
		{"full scan of code", rule.LoadBalancer{Algorithm: "least-request"}, balancer.Balancing{Policy: balancer.LeastRequest{FullScan: true}}, balancer.Balancing{Policy: balancer.LeastRequest{FullScan: true}}},
		{"two draws", rule.LoadBalancer{Algorithm: "least-request", SelectionMethod: "n-choices"}, balancer.Balancing{Policy: balancer.LeastRequest{FullScan: true}}, balancer.Balancing{Policy: balancer.LeastRequest{}}},
		{"reported weights", rule.LoadBalancer{Algorithm: "weighted-round-robin", ReportedWeights: &rule.ReportedWeights{BlackoutPeriod: rule.Duration(time.Second)}},
			balancer.Balancing{Policy: balancer.WeightedRoundRobin{ReportedWeights: balancer.ReportedWeights{ErrorUtilizationPenalty: 2}}},
			balancer.Balancing{Policy: balancer.WeightedRoundRobin{Reported: true, ReportedWeights: balancer.ReportedWeights{BlackoutPeriod: time.Second, ErrorUtilizationPenalty: 2}}}},
		{"no reported weights", rule.LoadBalancer{Algorithm: "weighted-round-robin", ReportedWeights: &rule.ReportedWeights{Off: true}},
			balancer.Balancing{Policy: balancer.WeightedRoundRobin{Reported: true}}, balancer.Balancing{Policy: balancer.WeightedRoundRobin{}}},
		{"the choices of code", rule.LoadBalancer{Algorithm: "prequal"}, balancer.Balancing{Policy: balancer.Prequal{Choices: 5}}, balancer.Balancing{Policy: balancer.Prequal{Choices: 5}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := ordersPolicy()
			p.Spec.LoadBalancer = tt.says
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			got := transport.BalancingOf(p.Spec, tt.code)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A section of the document keeps what code set of it and the document does not
// mention, and switches off what code has on.
func TestSectionsOfOutlierDetectionAddToCode(t *testing.T) {
	code := balancer.OutlierDetection{
		SuccessRate:       balancer.SuccessRateEjection{On: true, StdevFactor: 3000, RequestVolume: 20},
		FailurePercentage: balancer.FailurePercentageEjection{On: true, Threshold: 50, RequestVolume: 10},
		SlowCalls:         balancer.SlowCallEjection{On: true, Duration: time.Second, Threshold: 60, EnforcementPercentage: 70},
	}
	for _, tt := range []struct {
		name string
		says rule.OutlierDetection
		want func(*balancer.OutlierDetection)
	}{
		{"success rate", rule.OutlierDetection{SuccessRateEjection: &rule.SuccessRateEjection{MinimumHosts: 3, RequestVolume: 30}},
			func(o *balancer.OutlierDetection) { o.SuccessRate.MinimumHosts, o.SuccessRate.RequestVolume = 3, 30 }},
		{"failure percentage", rule.OutlierDetection{FailurePercentageEjection: &rule.FailurePercentageEjection{MinimumHosts: 3}},
			func(o *balancer.OutlierDetection) { o.FailurePercentage.MinimumHosts = 3 }},
		{"slow calls", rule.OutlierDetection{SlowCallEjection: &rule.SlowCallEjection{Duration: rule.Duration(2 * time.Second), RequestVolume: 9}},
			func(o *balancer.OutlierDetection) { o.SlowCalls.Duration, o.SlowCalls.RequestVolume = 2*time.Second, 9 }},
		{"no success rate", rule.OutlierDetection{SuccessRateEjection: &rule.SuccessRateEjection{Off: true}},
			func(o *balancer.OutlierDetection) { o.SuccessRate.On = false }},
		{"no failure percentage", rule.OutlierDetection{FailurePercentageEjection: &rule.FailurePercentageEjection{Off: true}},
			func(o *balancer.OutlierDetection) { o.FailurePercentage.On = false }},
		{"no slow calls", rule.OutlierDetection{SlowCallEjection: &rule.SlowCallEjection{Off: true}},
			func(o *balancer.OutlierDetection) { o.SlowCalls.On = false }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := ordersPolicy()
			p.Spec.OutlierDetection = &tt.says
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			want := code
			tt.want(&want)
			if got := transport.BalancingOf(p.Spec, balancer.Balancing{OutlierDetection: code}).OutlierDetection; got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// What a document may say never breaks a bound of package balancer.
func TestBoundsOfDocumentsAndCode(t *testing.T) {
	if rule.MaxPriorities != balancer.MaxTiers {
		t.Errorf("a document may have %d priorities, code %d tiers", rule.MaxPriorities, balancer.MaxTiers)
	}
	if err := (balancer.HealthCheck{Interval: rule.MinInterval, Timeout: rule.MinTimeout}).Validate(); err != nil {
		t.Error(err)
	}
}

type picker func(balancer.Request) *balancer.Node

func (p picker) Pick(r balancer.Request) *balancer.Node { return p(r) }
