package rule_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/rule"
)

const head = `{"apiVersion":"fairlead/v1alpha1","kind":"Settings","spec":`

func TestSettings(t *testing.T) {
	text := head + `{"safeMode":true,"off":["mirror"],"services":{"orders":{"safeMode":true,"off":["routes","fault"]}}}}`
	s, err := rule.DecodeSettings([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(s); err != nil || string(again) != text {
		t.Errorf("written again as %s, %v", again, err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"Kind", `{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":{}}`, `kind is "ServicePolicy": allowed is Settings`},
		{"Unknown", head + `{"safemode":true}}`, "line 1, column 61: spec.safemode: unknown; allowed are off, safeMode, services"},
		{"Feature", head + `{"off":["retry"]}}`, `spec.off[0] is "retry": allowed are rules, routes`},
		{"NoFeature", head + `{"services":{"orders":{"off":[""]}}}}`, `spec.services["orders"].off[0] is`},
		{"Service", head + `{"services":{"Orders":{}}}}`, `spec.services["Orders"]: allowed is the name of a service`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := rule.DecodeSettings([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// Each feature that is switched off is as if it had not been in the document.
func TestSwitches(t *testing.T) {
	all, err := rule.Decode(read(t, "testdata/good/orders.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		feature string
		off     func(*rule.Spec)
	}{
		{"rules", func(s *rule.Spec) { *s = rule.Spec{Service: "orders"} }},
		{"routes", func(s *rule.Spec) { s.Routes = nil }},
		{"filters", func(s *rule.Spec) { s.Filters = nil }},
		{"lane", func(s *rule.Spec) { s.Lane = nil }},
		{"mirror", func(s *rule.Spec) { s.Routes[0].Mirror = nil }},
		{"fault", func(s *rule.Spec) { s.Routes[0].Fault = nil }},
		{"timeout", func(s *rule.Spec) {
			s.Timeout, s.Routes[0].Timeout = 0, 0
			s.Retries.PerTryTimeout, s.Routes[0].Retries.PerTryTimeout = 0, 0
		}},
		{"loadBalancer", func(s *rule.Spec) { s.LoadBalancer = rule.LoadBalancer{} }},
		{"outlierDetection", func(s *rule.Spec) { s.OutlierDetection = &rule.OutlierDetection{Off: true} }},
		{"healthCheck", func(s *rule.Spec) { s.HealthCheck = &rule.HealthCheck{Off: true} }},
		{"retries", func(s *rule.Spec) {
			s.Retries, s.Routes[0].Retries = rule.Retries{MaxAttempts: 1}, rule.RouteRetries{}
		}},
		{"hedge", func(s *rule.Spec) { s.Hedge, s.Routes[0].Hedge = &rule.Hedge{Off: true}, nil }},
		{"circuitBreaker", func(s *rule.Spec) { s.CircuitBreaker = &rule.CircuitBreaker{Mode: "off"} }},
		{"outcomes", func(s *rule.Spec) { s.Outcomes = nil }},
		{"onFailure", func(s *rule.Spec) { s.OnFailure, s.Routes[0].OnFailure = nil, nil }},
		{"faultTolerance", func(s *rule.Spec) { s.FaultTolerance, s.Routes[0].FaultTolerance = "", "" }},
		{"priority", func(s *rule.Spec) { s.Priority, s.Routes[0].Priority = "", "" }},
		{"limits", func(s *rule.Spec) { s.Limits = []rule.RateLimit{} }},
		{"concurrency", func(s *rule.Spec) { s.Concurrency = []rule.Concurrency{} }},
		{"throttle", func(s *rule.Spec) { s.Throttle = &rule.Throttle{Off: true} }},
		{"server", func(s *rule.Spec) { s.Server = &rule.Server{Off: true} }},
		{"gateway", func(s *rule.Spec) { s.Gateway = &rule.Gateway{Off: true} }},
		{"telemetry", func(s *rule.Spec) { s.Telemetry.Level = "off" }},
	} {
		t.Run(c.feature, func(t *testing.T) {
			want, err := rule.Decode(read(t, "testdata/good/orders.json"))
			if err != nil {
				t.Fatal(err)
			}
			c.off(&want.Spec)
			everywhere := rule.Settings{Spec: rule.SettingsSpec{Switches: rule.Switches{Off: []string{c.feature}}}}
			here := rule.Settings{Spec: rule.SettingsSpec{Services: map[string]rule.Switches{"orders": {Off: []string{c.feature}}}}}
			elsewhere := rule.Settings{Spec: rule.SettingsSpec{Services: map[string]rule.Switches{"users": {Off: []string{c.feature}}}}}
			for _, s := range []rule.Settings{everywhere, here} {
				if got := s.Apply(all); !reflect.DeepEqual(got, want) || !s.Concern("orders") {
					t.Errorf("with %+v:\n%+v, want\n%+v", s.Spec, got.Spec, want.Spec)
				}
			}
			if got := elsewhere.Apply(all); !reflect.DeepEqual(got, all) || elsewhere.Concern("orders") {
				t.Errorf("with another service's switch: %+v", got.Spec)
			}
		})
	}
}

// A part of what is valid is valid, whatever is switched off.
func TestWhatSwitchesLeaveIsValid(t *testing.T) {
	features := rule.Features()
	r := rand.New(rand.NewPCG(3, 4))
	for _, path := range files(t, "good/*.json") {
		p, err := rule.Decode(read(t, path))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 500 {
			off := features[n%len(features) : n%len(features)+1]
			if n >= len(features) {
				r.Shuffle(len(features), func(i, j int) { features[i], features[j] = features[j], features[i] })
				off = features[:1+r.IntN(len(features))]
			}
			s := rule.Settings{Spec: rule.SettingsSpec{Switches: rule.Switches{Off: off, SafeMode: n%7 == 0}}}
			if _, err := rule.Compile(s.Apply(p), nil); err != nil {
				t.Fatalf("%s without %v: %v", path, off, err)
			}
		}
	}
}

// What is off where code set it, too, is said to be off.
func TestSwitchesThatCodeObeys(t *testing.T) {
	s := rule.Settings{Spec: rule.SettingsSpec{Switches: rule.Switches{Off: []string{
		"hedge", "circuitBreaker", "retries", "limits", "concurrency", "throttle", "server", "gateway",
	}}}}
	table := compile(t, s.Apply(policy()))
	d := table.Decide(&call{}, 0)
	if h := d.Route.Hedge; h == nil || !h.Off {
		t.Errorf("hedge %+v", h)
	}
	if b := table.Breaker; b == nil || b.Mode != breaker.Disabled {
		t.Errorf("breaker %+v", b)
	}
	if d.Route.Retry.MaxAttempts != 1 {
		t.Errorf("%d attempts", d.Route.Retry.MaxAttempts)
	}
	if l := table.Limits; l == nil || len(l) > 0 {
		t.Errorf("limits %+v", l)
	}
	if l := table.Concurrency; l == nil || len(l) > 0 {
		t.Errorf("concurrency %+v", l)
	}
	if h := table.Throttle; h == nil || !h.Off {
		t.Errorf("throttle %+v", h)
	}
	if s := table.Server; s == nil || !s.Off {
		t.Errorf("server %+v", s)
	}
	if g := table.Gateway; g == nil || !g.Off {
		t.Errorf("gateway %+v", g)
	}
}
