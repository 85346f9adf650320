package rule_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// vector is a file of testdata/vectors, whose README says what it means.
type vector struct {
	About     string          `json:"about"`
	Policy    json.RawMessage `json:"policy"`
	Settings  json.RawMessage `json:"settings"`
	Instances []struct {
		ID      string            `json:"id"`
		Version string            `json:"version"`
		Zone    string            `json:"zone"`
		Region  string            `json:"region"`
		Meta    map[string]string `json:"meta"`
	} `json:"instances"`
	Want struct {
		Algorithm          string `json:"algorithm"`
		LocalityPreference string `json:"localityPreference"`
		Telemetry          string `json:"telemetry"`
	} `json:"want"`
	Calls []vectorCall `json:"calls"`
}

type vectorCall struct {
	About   string            `json:"about"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"` // names in lower case
	Query   map[string]string `json:"query"`
	Baggage map[string]string `json:"baggage"`
	Caller  string            `json:"caller"`
	Key     string            `json:"key"`
	Random  float64           `json:"random"`
	Want    wanted            `json:"want"`
}

type wanted struct {
	Route       string        `json:"route"`
	Instances   *[]string     `json:"instances"`
	Fallback    []string      `json:"fallback"`
	Timeout     rule.Duration `json:"timeout"`
	MaxAttempts int           `json:"maxAttempts"`

	PerTryTimeout  rule.Duration `json:"perTryTimeout"`
	Idempotent     *bool         `json:"idempotent"`
	Hedged         bool          `json:"hedged"`
	FaultTolerance string        `json:"faultTolerance"`

	Priority    string   `json:"priority"`
	Limits      []string `json:"limits"`
	Concurrency []string `json:"concurrency"`
}

func TestVectors(t *testing.T) {
	paths := files(t, "vectors/*.json")
	if len(paths) < 10 {
		t.Fatalf("there are %d vectors", len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			var v vector
			d := json.NewDecoder(bytes.NewReader(read(t, path)))
			d.DisallowUnknownFields()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			v.check(t)
		})
	}
}

func (v *vector) check(t *testing.T) {
	var instances []*discovery.Instance
	for _, i := range v.Instances {
		instances = append(instances, &discovery.Instance{ID: i.ID, Version: i.Version, Zone: i.Zone, Region: i.Region, Meta: i.Meta})
	}
	table := v.table(t)
	if got := table.Policy.Spec.LoadBalancer.Algorithm; got != v.Want.Algorithm {
		t.Errorf("algorithm %q, want %q", got, v.Want.Algorithm)
	}
	if got := table.Policy.Spec.LoadBalancer.LocalityPreference; got != v.Want.LocalityPreference {
		t.Errorf("locality preference %q, want %q", got, v.Want.LocalityPreference)
	}
	if got := table.Policy.Spec.Telemetry.Level; got != v.Want.Telemetry {
		t.Errorf("telemetry %q, want %q", got, v.Want.Telemetry)
	}
	narrow := func(n rule.Narrowing) []string {
		return ids(rule.Narrow(table, n, instances, func(i *discovery.Instance) *discovery.Instance { return i }))
	}
	for _, c := range v.Calls {
		request := &call{c.Method, c.Path, c.Caller, c.Key, c.Headers, c.Query, c.Baggage}
		d := table.Decide(request, uint64(c.Random*(1<<32))<<32)
		if d.Route.Name != c.Want.Route {
			t.Errorf("%s: route %q, want %q", c.About, d.Route.Name, c.Want.Route)
		}
		want := ids(instances)
		if c.Want.Instances != nil {
			want = *c.Want.Instances
		}
		if got := narrow(d.Narrowing); !slices.Equal(got, want) {
			t.Errorf("%s: instances %v, want %v", c.About, got, want)
		}
		var fallback []string
		if other, ok := table.Fallback(d.Narrowing); ok {
			fallback = narrow(other)
		}
		if !slices.Equal(fallback, c.Want.Fallback) {
			t.Errorf("%s: fallback %v, want %v", c.About, fallback, c.Want.Fallback)
		}
		if got := rule.Duration(d.Route.Timeout); got != c.Want.Timeout {
			t.Errorf("%s: timeout %s, want %s", c.About, got, c.Want.Timeout)
		}
		attempts := d.Route.Retry.MaxAttempts
		if d.Route.FaultTolerance == rule.Failfast {
			attempts = 1
		}
		if attempts != c.Want.MaxAttempts {
			t.Errorf("%s: maxAttempts %d, want %d", c.About, attempts, c.Want.MaxAttempts)
		}
		if got := rule.Duration(d.Route.Retry.AttemptTimeout); got != c.Want.PerTryTimeout {
			t.Errorf("%s: perTryTimeout %s, want %s", c.About, got, c.Want.PerTryTimeout)
		}
		if got := d.Route.Idempotent; !reflect.DeepEqual(got, c.Want.Idempotent) {
			t.Errorf("%s: idempotent %v, want %v", c.About, got, c.Want.Idempotent)
		}
		if got := d.Route.Hedge != nil && !d.Route.Hedge.Off; got != c.Want.Hedged {
			t.Errorf("%s: hedged %t, want %t", c.About, got, c.Want.Hedged)
		}
		if got := d.Route.FaultTolerance.String(); got != cmp.Or(c.Want.FaultTolerance, "failover") {
			t.Errorf("%s: faultTolerance %s, want %s", c.About, got, c.Want.FaultTolerance)
		}
		priority := ""
		if d.Route.PrioritySaid {
			priority = d.Route.Priority.String()
		}
		if priority != c.Want.Priority {
			t.Errorf("%s: priority %q, want %q", c.About, priority, c.Want.Priority)
		}
		if got := limitsOf(table, request); !slices.Equal(got, c.Want.Limits) {
			t.Errorf("%s: limits %q, want %q", c.About, got, c.Want.Limits)
		}
		if got := concurrencyOf(table, request); !slices.Equal(got, c.Want.Concurrency) {
			t.Errorf("%s: concurrency %q, want %q", c.About, got, c.Want.Concurrency)
		}
	}
}

// limitsOf and concurrencyOf name the limits in which a call counts.
func limitsOf(table *rule.Table, r rule.Request) (names []string) {
	for n := range table.Limits {
		if l := &table.Limits[n]; l.Matches(r) {
			names = append(names, l.Name)
		}
	}
	return names
}

func concurrencyOf(table *rule.Table, r rule.Request) (names []string) {
	for n := range table.Concurrency {
		if l := &table.Concurrency[n]; l.Matches(r) {
			names = append(names, l.Name)
		}
	}
	return names
}

// table is what is in force.
func (v *vector) table(t *testing.T) *rule.Table {
	p := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "orders"}}
	if v.Policy != nil {
		var err error
		if p, err = rule.Decode(v.Policy); err != nil {
			t.Fatal(err)
		}
	}
	if v.Settings != nil {
		s, err := rule.DecodeSettings(v.Settings)
		if err != nil {
			t.Fatal(err)
		}
		p = s.Apply(p)
	}
	return compile(t, p)
}
