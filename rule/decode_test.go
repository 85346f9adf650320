package rule_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rule"
)

func files(t testing.TB, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(all), err)
	}
	return all
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGoodDocuments(t *testing.T) {
	for _, path := range files(t, "good/*.json") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, err := rule.Decode(read(t, path))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Validate(); err != nil {
				t.Error(err)
			}
			sameAgain(t, p)
			goodConfigs(t, compile(t, p))
			if e := p.Edition(); e < 1 || e > rule.Edition {
				t.Errorf("edition %d is needed to read it, this is %d", e, rule.Edition)
			}
		})
	}
}

// sameAgain: what was read can be written, and read as the same.
func sameAgain(t *testing.T, p rule.Policy) {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := rule.Decode(text)
	if err != nil {
		t.Fatalf("%s cannot be read again: %v", text, err)
	}
	if twice, err := json.Marshal(again); err != nil || string(twice) != string(text) {
		t.Errorf("%s becomes %s, %v", text, twice, err)
	}
}

// Each bad document says all that is wrong with it, and where.
func TestBadDocuments(t *testing.T) {
	for _, path := range files(t, "bad/*.json") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, err := rule.Decode(read(t, path))
			problems, ok := errors.AsType[rule.Problems](err)
			if !ok || !reflect.DeepEqual(p, rule.Policy{}) {
				t.Fatalf("%+v, %v", p, err)
			}
			var got strings.Builder
			for _, problem := range problems {
				fmt.Fprintln(&got, problem)
			}
			if want := string(read(t, strings.TrimSuffix(path, ".json")+".want")); got.String() != want {
				t.Errorf("problems are\n%swant\n%s", got.String(), want)
			}
		})
	}
}

// The good documents leave out no field of the structs, and the reader knows
// each of them.
func TestEveryFieldIsRead(t *testing.T) {
	var set func(reflect.Value, string) map[string]bool
	set = func(v reflect.Value, path string) map[string]bool {
		found := map[string]bool{}
		add := func(more map[string]bool) {
			for k, ok := range more {
				found[k] = found[k] || ok
			}
		}
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				v = reflect.New(v.Type().Elem())
			}
			return set(v.Elem(), path)
		case reflect.Slice:
			for n := range v.Len() {
				add(set(v.Index(n), path))
			}
			if v.Len() == 0 {
				add(set(reflect.Zero(v.Type().Elem()), path))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				add(set(v.MapIndex(k), path))
			}
			if v.Len() == 0 {
				add(set(reflect.Zero(v.Type().Elem()), path))
			}
		case reflect.Struct:
			switch v.Type() { // one reader for all
			case reflect.TypeFor[rule.Text](), reflect.TypeFor[rule.Match](), reflect.TypeFor[rule.Backoff](), reflect.TypeFor[rule.Hedge](), reflect.TypeFor[rule.OnFailure]():
				path = v.Type().Name()
			}
			for n := range v.NumField() {
				add(set(v.Field(n), path+"."+v.Type().Field(n).Name))
			}
		default:
			found[path] = !v.IsZero()
		}
		return found
	}
	known := map[string]bool{}
	for _, path := range files(t, "good/*.json") {
		p, err := rule.Decode(read(t, path))
		if err != nil {
			t.Fatal(err)
		}
		for field, ok := range set(reflect.ValueOf(p), "Policy") {
			known[field] = known[field] || ok
		}
	}
	for field, ok := range known {
		if !ok {
			t.Errorf("%s is set in no good document, or is not read", field)
		}
	}
}

func TestLimits(t *testing.T) {
	base := func() rule.Policy {
		return rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "orders"}}
	}
	long := strings.Repeat("x", rule.MaxText+1)
	for _, c := range []struct {
		name   string
		change func(*rule.Spec)
		want   string
	}{
		{"Routes", func(s *rule.Spec) { s.Routes = make([]rule.Route, rule.MaxRoutes+1) }, "spec.routes is of 257: at most 256"},
		{"Conditions", func(s *rule.Spec) {
			s.Routes = []rule.Route{{Match: make([]rule.Match, rule.MaxConditions+1)}}
			for n := range s.Routes[0].Match {
				s.Routes[0].Match[n].Method = "GET"
			}
		}, "spec is of 1001 conditions: at most 1000"},
		{"Subsets", func(s *rule.Spec) {
			for n := range rule.MaxSubsets + 1 {
				s.Subsets = append(s.Subsets, rule.Subset{Name: fmt.Sprint(n), Labels: map[string]string{"v": "1"}})
			}
		}, "spec.subsets is of 101: at most 100"},
		{"ConditionsOfAll", func(s *rule.Spec) {
			get := func(n int) []rule.Match { return slices.Repeat([]rule.Match{{Method: "GET"}}, n) }
			s.Routes = []rule.Route{{Match: get(200)}}
			s.Limits = []rule.RateLimit{{Name: "a", Rate: rule.Rate{Calls: 1, Within: time.Second}, Match: get(200)}}
			s.Concurrency = []rule.Concurrency{{Name: "a", Max: 1, Match: get(200)}}
			s.Server = &rule.Server{
				Limits:      []rule.RateLimit{{Name: "a", Rate: rule.Rate{Calls: 1, Within: time.Second}, Match: get(200)}},
				Concurrency: []rule.Concurrency{{Name: "a", Max: 1, Match: get(201)}},
			}
		}, "spec is of 1001 conditions: at most 1000"},
		{"StepsOfAll", func(s *rule.Spec) {
			costly := []rule.Match{{Path: regex(strings.Repeat("(x?)", 56) + "=")}}
			for n := range 30 {
				s.Limits = append(s.Limits, rule.RateLimit{Name: fmt.Sprint(n), Rate: rule.Rate{Calls: 1, Within: time.Second}, Match: costly})
			}
			s.Server = &rule.Server{Limits: s.Limits}
		}, "steps, at most 10000 are allowed in a document"},
		{"Limits", func(s *rule.Spec) { s.Limits = make([]rule.RateLimit, rule.MaxLimits+1) }, "spec.limits is of 33: at most 32"},
		{"Concurrency", func(s *rule.Spec) { s.Concurrency = make([]rule.Concurrency, rule.MaxConcurrency+1) }, "spec.concurrency is of 9: at most 8"},
		{"LimitsOfServers", func(s *rule.Spec) { s.Server = &rule.Server{Limits: make([]rule.RateLimit, rule.MaxLimits+1)} }, "spec.server.limits is of 33: at most 32"},
		{"ConcurrencyOfServers", func(s *rule.Spec) {
			s.Server = &rule.Server{Concurrency: make([]rule.Concurrency, rule.MaxConcurrency+1)}
		}, "spec.server.concurrency is of 9: at most 8"},
		{"LongHeader", func(s *rule.Spec) { s.Limits = []rule.RateLimit{{Per: "header:" + long}} }, "spec.limits[0].per is"},
		{"LongNameOfALimit", func(s *rule.Spec) { s.Limits = []rule.RateLimit{{Name: long}} }, "spec.limits[0].name is"},
		{"LongName", func(s *rule.Spec) { s.Routes = []rule.Route{{Name: long}} }, "spec.routes[0].name is of 257 bytes: at most 256"},
		{"LongPattern", func(s *rule.Spec) { s.Routes = []rule.Route{{Match: []rule.Match{{Path: &rule.Text{Regex: long}}}}} }, "path.regex is"},
		{"LongLabel", func(s *rule.Spec) {
			s.Subsets = []rule.Subset{{Name: "a", Labels: map[string]string{"v": long}}}
		}, `spec.subsets[0].labels["v"] is of 257 bytes`},
		{"Outcomes", func(s *rule.Spec) {
			for range rule.MaxOutcomes + 1 {
				s.Outcomes = append(s.Outcomes, rule.Outcome{Codes: []string{"404"}, As: "neutral"})
			}
		}, "spec.outcomes is of 101: at most 100"},
		{"Codes", func(s *rule.Spec) {
			s.Outcomes = []rule.Outcome{{Codes: slices.Repeat([]string{"404"}, rule.MaxCodes+1), As: "neutral"}}
		}, "spec.outcomes[0].codes is of 257: at most 256"},
		{"RetryOn", func(s *rule.Spec) { s.Retries.RetryOn = slices.Repeat([]string{"reset"}, rule.MaxCodes+1) }, "spec.retries.retryOn is of 257: at most 256"},
		{"Value", func(s *rule.Spec) {
			s.OnFailure = &rule.OnFailure{Value: `"` + strings.Repeat("x", rule.MaxValue) + `"`}
		}, "spec.onFailure.value is of 4098 bytes: at most 4096"},
		{"Priorities", func(s *rule.Spec) {
			for n := range rule.MaxPriorities + 1 {
				s.LoadBalancer.Priorities = append(s.LoadBalancer.Priorities, rule.Subset{Name: fmt.Sprint(n), Labels: map[string]string{"v": "1"}})
			}
		}, "spec.loadBalancer.priorities is of 17: at most 16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := base()
			c.change(&p.Spec)
			if err := p.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	p := base()
	p.Spec.OnFailure = &rule.OnFailure{Value: `"` + strings.Repeat("x", rule.MaxValue-2) + `"`}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if _, err := rule.Decode([]byte(strings.Repeat(" ", rule.MaxBytes+1))); err == nil || !strings.Contains(err.Error(), "at most 262144") {
		t.Errorf("a document that is too large: %v", err)
	}
}

// What a matter of one algorithm is beside another would do nothing, and a list
// of no priorities says more than none.
func TestSettingsOfAlgorithms(t *testing.T) {
	for _, c := range []struct {
		name string
		l    rule.LoadBalancer
		good bool
	}{
		{"FullScan", rule.LoadBalancer{Algorithm: "least-request", SelectionMethod: "full-scan"}, true},
		{"FullScanOfWhatCodeSaid", rule.LoadBalancer{SelectionMethod: "full-scan"}, false},
		{"FullScanOfAnother", rule.LoadBalancer{Algorithm: "p2c-ewma", SelectionMethod: "full-scan"}, false},
		{"BoundOfARing", rule.LoadBalancer{Algorithm: "ring-hash", HashBalanceFactor: 100}, true},
		{"BoundOfMaglev", rule.LoadBalancer{Algorithm: "maglev", HashBalanceFactor: -1}, true},
		{"BoundBelowTheMean", rule.LoadBalancer{Algorithm: "maglev", HashBalanceFactor: 99}, false},
		{"BoundOfAnother", rule.LoadBalancer{Algorithm: "random", HashBalanceFactor: 150}, false},
		{"Reported", rule.LoadBalancer{Algorithm: "weighted-round-robin", ReportedWeights: new(rule.ReportedWeights)}, true},
		{"ReportedOfAnother", rule.LoadBalancer{Algorithm: "smooth-weighted", ReportedWeights: new(rule.ReportedWeights)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "orders", LoadBalancer: c.l}}
			if err := p.Validate(); (err == nil) != c.good {
				t.Error(err)
			}
		})
	}
	p, err := rule.Decode(read(t, "testdata/good/hash.json"))
	if err != nil || p.Spec.LoadBalancer.Priorities == nil {
		t.Errorf("a list of no priorities is read as %+v, %v", p.Spec.LoadBalancer, err)
	}
}

// Readers of the first edition are not given what they do not know.
func TestEdition(t *testing.T) {
	for _, c := range []struct {
		name string
		spec rule.Spec
		want int
	}{
		{"Nothing", rule.Spec{}, 1},
		{"AlgorithmOfFirst", rule.Spec{LoadBalancer: rule.LoadBalancer{Algorithm: "round-robin"}}, 1},
		{"Algorithm", rule.Spec{LoadBalancer: rule.LoadBalancer{Algorithm: "maglev"}}, 2},
		{"LocalityPreference", rule.Spec{LoadBalancer: rule.LoadBalancer{LocalityPreference: "none"}}, 2},
		{"Priorities", rule.Spec{LoadBalancer: rule.LoadBalancer{Priorities: []rule.Subset{}}}, 2},
		{"SubsetSize", rule.Spec{LoadBalancer: rule.LoadBalancer{SubsetSize: -1}}, 2},
		{"SelectionMethod", rule.Spec{LoadBalancer: rule.LoadBalancer{Algorithm: "least-request", SelectionMethod: "full-scan"}}, 2},
		{"HealthCheck", rule.Spec{HealthCheck: new(rule.HealthCheck)}, 2},
		{"MaxAttempts", rule.Spec{Retries: rule.Retries{MaxAttempts: 1, Budget: rule.Budget{Ratio: 10_00}}, Timeout: 1}, 1},
		{"MaxAttemptsOfARoute", rule.Spec{Routes: []rule.Route{{Timeout: 1, Retries: rule.RouteRetries{MaxAttempts: 1}}}}, 1},
		{"Idempotent", rule.Spec{Idempotent: new(false)}, 3},
		{"PerTryTimeout", rule.Spec{Retries: rule.Retries{PerTryTimeout: 1}}, 3},
		{"RetryOn", rule.Spec{Retries: rule.Retries{RetryOn: []string{"reset"}}}, 3},
		{"Backoff", rule.Spec{Retries: rule.Retries{Backoff: rule.Backoff{MaxInterval: 1}}}, 3},
		{"Hedge", rule.Spec{Hedge: new(rule.Hedge)}, 3},
		{"CircuitBreaker", rule.Spec{CircuitBreaker: new(rule.CircuitBreaker)}, 3},
		{"Outcomes", rule.Spec{Outcomes: []rule.Outcome{{}}}, 3},
		{"FaultTolerance", rule.Spec{FaultTolerance: "failover"}, 3},
		{"OnFailure", rule.Spec{OnFailure: new(rule.OnFailure)}, 3},
		{"OfARoute", rule.Spec{Routes: []rule.Route{{}, {Retries: rule.RouteRetries{PerTryTimeout: 1}}}}, 3},
		{"Priority", rule.Spec{Priority: "default"}, 4},
		{"PriorityOfARoute", rule.Spec{Routes: []rule.Route{{}, {Priority: "critical"}}}, 4},
		{"Limits", rule.Spec{Limits: []rule.RateLimit{{}}}, 4},
		{"NoLimits", rule.Spec{Limits: []rule.RateLimit{}}, 4},
		{"Concurrency", rule.Spec{Concurrency: []rule.Concurrency{{}}}, 4},
		{"NoConcurrency", rule.Spec{Concurrency: []rule.Concurrency{}}, 4},
		{"Throttle", rule.Spec{Throttle: new(rule.Throttle)}, 4},
		{"Server", rule.Spec{Server: new(rule.Server)}, 4},
		{"Gateway", rule.Spec{Gateway: new(rule.Gateway)}, 4},
		{"ThirdAndFourth", rule.Spec{Hedge: new(rule.Hedge), Throttle: new(rule.Throttle)}, 4},
		{"BothNew", rule.Spec{HealthCheck: new(rule.HealthCheck), Hedge: new(rule.Hedge)}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (rule.Policy{Spec: c.spec}).Edition(); got != c.want {
				t.Errorf("edition %d, want %d", got, c.want)
			}
		})
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]rule.Percent{"0%": 0, "20%": 20_00, "0.05%": 5, "12.5%": 12_50, "100%": 100_00} {
		var p rule.Percent
		if err := p.UnmarshalText([]byte(text)); err != nil || p != want || p.String() != text {
			t.Errorf("%s is read as %d, written as %s, %v", text, p, p, err)
		}
	}
	for _, text := range []string{"", "%", "20", "101%", "-1%", "1.%", ".5%", "0.005%", "1e1%", "20 %", "٣%"} {
		if err := new(rule.Percent).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as a percentage", text)
		}
	}
}

// Whatever text there is: what is accepted is valid, and stays what it is.
func FuzzDecodeRule(f *testing.F) {
	for _, pattern := range []string{"good/*.json", "bad/*.json"} {
		for _, path := range files(f, pattern) {
			f.Add(read(f, path))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := rule.Decode(text)
		if err != nil {
			if problems, ok := errors.AsType[rule.Problems](err); !ok || len(problems) == 0 {
				t.Fatalf("error %v", err)
			}
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("accepted and not valid: %v", err)
		}
		sameAgain(t, p)
		goodConfigs(t, compile(t, p))
	})
}

// BenchmarkDecode is what a process pays for a new document: to read, to judge
// and to compile it.
func BenchmarkDecode(b *testing.B) {
	for _, path := range files(b, "good/*.json") {
		b.Run("document="+strings.TrimSuffix(filepath.Base(path), ".json"), func(b *testing.B) {
			p, err := rule.Decode(read(b, path))
			if err != nil {
				b.Fatal(err)
			}
			text := read(b, path)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var s rule.Standing
			for n := int64(1); b.Loop(); n++ {
				if s = s.Next(rule.Document{Service: p.Spec.Service, Text: text, Revision: n, Live: true}); s.Refused != nil {
					b.Fatal(s.Refused)
				}
			}
		})
	}
}
