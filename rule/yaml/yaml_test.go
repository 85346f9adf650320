package yaml_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/rule/yaml"
)

const orders = `# yaml-language-server: $schema=https://example.test/schema.json
apiVersion: fairlead/v1alpha1
kind: ServicePolicy
metadata: {name: orders, labels: {team: checkout}}
spec:
  service: orders
  subsets:
    - {name: stable, labels: {version: v1}}
    - name: canary
      labels:
        version: "2.0"
  routes:
    - match:
        - path: {prefix: /v1/}
          headers:
            x-user-tier: {exact: gold}
      route: [{subset: canary, weight: 100}]
      fallback: stable
      timeout: 800ms
      retries: {maxAttempts: 3}
      strict: false
  retries: {budget: {ratio: 20%}}
`

func TestDecode(t *testing.T) {
	p, err := yaml.Decode([]byte(orders))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","metadata":{"name":"orders","labels":{"team":"checkout"}},"spec":{"service":"orders","subsets":[{"name":"stable","labels":{"version":"v1"}},{"name":"canary","labels":{"version":"2.0"}}],"routes":[{"match":[{"path":{"prefix":"/v1/"},"headers":{"x-user-tier":{"exact":"gold"}}}],"route":[{"subset":"canary","weight":100}],"fallback":"stable","timeout":"800ms","retries":{"maxAttempts":3}}],"retries":{"budget":{"ratio":"20%"}}}}`
	if string(got) != want {
		t.Errorf("read as\n%s, want\n%s", got, want)
	}
}

// How calls are tried, in the form of people and in that of etcd.
func TestDecodeAttempts(t *testing.T) {
	p, err := yaml.Decode([]byte(head + `  idempotent: true
  retries:
    maxAttempts: 3
    perTryTimeout: 300ms
    retryOn: [connect-failure, "503", UNAVAILABLE]
    backoff: {baseInterval: 25ms, maxInterval: 250ms}
    budget: {ratio: 20%, minPerSecond: 10}
  hedge: {off: false, percentile: 95%, minDelay: 1ms, maxExtra: 5%}
  circuitBreaker: {mode: "on", scope: method, window: 10s, failureRate: 50%, halfOpenRequests: 1}
  outcomes:
    - {codes: ["404", "500-599", NOT_FOUND], as: neutral}
  faultTolerance: failover
  onFailure: {value: '{"items":[]}', httpStatus: 200}
  routes:
    - idempotent: false
      retries: {retryOn: [reset]}
      hedge: {off: true, delay: 20ms}
      faultTolerance: failsafe
      onFailure: {service: orders-archive}
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(p.Spec)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"service":"orders","routes":[{"idempotent":false,"retries":{"retryOn":["reset"]},"hedge":{"off":true,"delay":"20ms"},"faultTolerance":"failsafe","onFailure":{"service":"orders-archive"}}],"idempotent":true,"retries":{"maxAttempts":3,"perTryTimeout":"300ms","retryOn":["connect-failure","503","UNAVAILABLE"],"backoff":{"baseInterval":"25ms","maxInterval":"250ms"},"budget":{"ratio":"20%","minPerSecond":10}},"hedge":{"percentile":"95%","minDelay":"1ms","maxExtra":"5%"},"circuitBreaker":{"mode":"on","scope":"method","window":"10s","failureRate":"50%","halfOpenRequests":1},"outcomes":[{"codes":["404","500-599","NOT_FOUND"],"as":"neutral"}],"faultTolerance":"failover","onFailure":{"value":"{\"items\":[]}","httpStatus":200}}`
	if string(got) != want {
		t.Errorf("read as\n%s, want\n%s", got, want)
	}
}

// How many calls there may be, in the form of people and in that of etcd.
func TestDecodeLimits(t *testing.T) {
	p, err := yaml.Decode([]byte(head + `  priority: sheddable
  limits:
    - {name: fleet, rate: 5000/s, scope: shared}
    - name: per tenant
      match: [{path: {prefix: /v1/}}]
      rate: 0.50/m
      burst: 50
      per: header:x-tenant
      maxKeys: 1000
      wait: 50ms
  concurrency:
    - {name: reads, match: [{method: GET}], max: 100, per: class, wait: 10ms}
    - {name: each, per: instance, adaptive: {min: 4, max: 500, initial: 20}}
  throttle: {off: false, k: 1.5, window: 5s, maxReject: 90%}
  server:
    limits: []
    concurrency: [{name: all, adaptive: {}}]
    off: true
  gateway: {service: edge, share: 30%}
  routes:
    - {priority: critical}
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(p.Spec)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"service":"orders","routes":[{"priority":"critical"}],"priority":"sheddable","limits":[{"name":"fleet","rate":"5000/s","scope":"shared"},{"name":"per tenant","match":[{"path":{"prefix":"/v1/"}}],"rate":"0.5/m","burst":50,"per":"header:x-tenant","maxKeys":1000,"wait":"50ms"}],"concurrency":[{"name":"reads","match":[{"method":"GET"}],"max":100,"per":"class","wait":"10ms"},{"name":"each","per":"instance","adaptive":{"min":4,"max":500,"initial":20}}],"throttle":{"k":1.5,"window":"5s","maxReject":"90%"},"server":{"off":true,"limits":[],"concurrency":[{"name":"all","adaptive":{}}]},"gateway":{"service":"edge","share":"30%"}}`
	if string(got) != want {
		t.Errorf("read as\n%s, want\n%s", got, want)
	}
}

// YAML 1.2 knows no truth but true and false.
func TestModesWithoutQuotes(t *testing.T) {
	for _, mode := range []string{"on", "off"} {
		if p, err := yaml.Decode([]byte(head + "  circuitBreaker: {mode: " + mode + "}\n")); err != nil || p.Spec.CircuitBreaker.Mode != mode {
			t.Errorf("%s: %+v, %v", mode, p.Spec.CircuitBreaker, err)
		}
	}
}

// A document in JSON is one in YAML, and read as the same.
func TestJSONIsYAML(t *testing.T) {
	paths, err := filepath.Glob("../testdata/good/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d documents, %v", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := rule.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := yaml.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(want)
		if b, _ := json.Marshal(got); string(a) != string(b) {
			t.Errorf("%s is read as\n%s, want\n%s", path, b, a)
		}
	}
}

const head = "apiVersion: fairlead/v1alpha1\nkind: ServicePolicy\nspec:\n  service: orders\n"

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"Unknown", head + "  rutes: []\n", "line 5, column 3: spec.rutes: unknown; allowed are "},
		{"WrongType", head + "  timeout: 7\n", "line 5, column 12: spec.timeout is 7: allowed is a text"},
		{"WrongValue", head + "  timeout: soon\n", `line 5, column 12: spec.timeout is "soon": allowed is a duration`},
		{"NumberForText", head + "  subsets:\n    - name: a\n      labels: {version: 1.0}\n", `line 7, column 25: spec.subsets[0].labels["version"] is 1.0: allowed is a text`},
		{"Invalid", head + "  routes:\n    - route:\n        - weight: 99\n", "line 7, column 9: spec.routes[0].route is of weights that add up to 99"},
		{"SeveralProblems", "kind: x\nspec:\n  service: Orders\n", "line 3, column 12: spec.service is \"Orders\""},
		{"StatusWithoutQuotes", head + "  retries: {retryOn: [503]}\n", "line 5, column 23: spec.retries.retryOn[0] is 503: allowed is a text"},
		{"ModeThatIsTrue", head + "  circuitBreaker: {mode: true}\n", "spec.circuitBreaker.mode is true: allowed is a text"},
		{"ValueThatIsNoText", head + "  onFailure: {value: {items: []}}\n", "spec.onFailure.value is an object: allowed is a text"},
		{"RateWithoutATime", head + "  limits: [{name: a, rate: 200}]\n", "line 5, column 28: spec.limits[0].rate is 200: allowed is a number of calls in a second, a minute or an hour"},
		{"LimitWithoutARate", head + "  limits:\n    - name: a\n", "line 6, column 7: spec.limits[0].rate: one is needed"},
		{"LimitThatIsThereTwice", head + "  limits:\n    - {name: a, rate: 1/s}\n    - {name: a, rate: 2/s}\n", `line 7, column 14: spec.limits[1].name is "a": allowed is a name that none before it has`},
		{"ConcurrencyOfNothing", head + "  concurrency:\n    - {name: a, per: method}\n", "line 6, column 7: spec.concurrency[0]: exactly one of max and adaptive"},
		{"KThatIsInfinite", head + "  throttle: {k: .inf}\n", "line 5, column 17: "},
		{"KInHex", head + "  throttle: {k: 0x10}\n", "spec.throttle.k is"},
		{"SharedByServers", head + "  server:\n    limits:\n      - {name: a, rate: 1/s, scope: shared}\n", `line 7, column 37: spec.server.limits[0].scope is "shared": allowed is process`},
		{"Twice", head + "kind: ServicePolicy\n", "line 5, column 1: "},
		{"Syntax", head + "  routes: [\n", "not YAML"},
		{"Tab", "apiVersion: x\nspec:\n\tservice: orders\n", "line 3, column 1: not YAML"},
		{"Alias", head + "  timeout: &t 1s\n  routes:\n    - timeout: *t\n", "line 5, column 12: Anchor is not allowed here"},
		{"Tag", head + "  timeout: !!str 1s\n", "line 5, column 12: Tag is not allowed here"},
		{"Merge", head + "  retries:\n    <<: {maxAttempts: 2}\n", "line 6, column 5: MergeKey is not allowed here"},
		{"TwoDocuments", head + "---\n" + head, "more after the end of the document"},
		{"Nothing", "# only a comment\n", "there is no document"},
		{"TooDeep", head + "  routes: " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "\n", "nested too deep"},
		{"TooLong", strings.Repeat("#", rule.MaxBytes+1), "at most 262144 are allowed"},
		{"List", "- a\n", "the document is a list: allowed is an object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := yaml.Decode([]byte(c.text))
			if _, ok := errors.AsType[rule.Problems](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(orders))
	f.Add([]byte(head))
	f.Add([]byte(head + "  idempotent: true\n  hedge: {delay: 20ms}\n  onFailure: {value: '{\"items\":[]}'}\n  outcomes: [{codes: [500-599], as: failure}]\n"))
	f.Add([]byte(head + "  limits: [{name: a, rate: 0.5/m, per: header:x, scope: process}]\n  concurrency: [{name: a, adaptive: {min: 2}, per: instance}]\n  throttle: {k: 1.5}\n  server: {limits: []}\n  gateway: {service: edge, share: 30%}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := yaml.Decode(text)
		if err != nil {
			if problems, ok := errors.AsType[rule.Problems](err); !ok || len(problems) == 0 {
				t.Fatalf("error %v", err)
			}
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("accepted and not valid: %v", err)
		}
	})
}

func TestSettings(t *testing.T) {
	s, err := yaml.DecodeSettings([]byte("apiVersion: fairlead/v1alpha1\nkind: Settings\nspec:\n  off: [mirror]\n  services:\n    orders: {safeMode: true}\n"))
	if err != nil || !s.Spec.Services["orders"].SafeMode || !slices.Equal(s.Spec.Off, []string{"mirror"}) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := yaml.DecodeSettings([]byte("spec: {of: []}")); err == nil || !strings.Contains(err.Error(), "line 1, column 8: spec.of: unknown") {
		t.Error(err)
	}
}

// What is nested deeply is refused before the parser has it.
func TestDeepTexts(t *testing.T) {
	for _, text := range []string{strings.Repeat("- ", 130_000), strings.Repeat("[", 260_000), strings.Repeat("{a: ", 60_000)} {
		start := time.Now()
		if _, err := yaml.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), "nested too deep") || time.Since(start) > 5*time.Second {
			t.Errorf("%.10q…: %v after %s", text, err, time.Since(start))
		}
	}
}

// A tab within a text stays, or is refused: it does not vanish.
func TestTabs(t *testing.T) {
	with := func(name string) []byte {
		return []byte("apiVersion: fairlead/v1alpha1\nkind: ServicePolicy\nmetadata: {name: " + name + "}\nspec: {service: orders}\n")
	}
	for _, quoted := range []string{"\"a\\tb\"", "'a\tb'"} {
		if p, err := yaml.Decode(with(quoted)); err != nil || p.Metadata.Name != "a\tb" {
			t.Errorf("%s is read as %q, %v", quoted, p.Metadata.Name, err)
		}
	}
	if p, err := yaml.Decode(with("a\tb")); err == nil || !strings.Contains(err.Error(), "line 3, column 18: a tab in a text without quotes") {
		t.Errorf("it is read as %q, %v", p.Metadata.Name, err)
	}
}
