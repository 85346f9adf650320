package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fairlead-go/fairlead/rule"
)

// The schemas and the decoder come to the same answer, as far as a schema can
// tell: not that weights add up to 100, nor that names are known or there once.
func TestSchemas(t *testing.T) {
	compile := func(name string) *jsonschema.Schema {
		s, err := jsonschema.NewCompiler().Compile(filepath.Join("../../rule/schema", name))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	policy, settings := compile("servicepolicy.v1alpha1.json"), compile("settings.v1alpha1.json")
	judge := func(s *jsonschema.Schema, text []byte) (err error, isJSON bool) {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err, false
		}
		return s.Validate(document), true
	}
	all := func(pattern string) []string {
		paths, err := filepath.Glob("../../rule/testdata/" + pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		return paths
	}
	read := func(path string) []byte {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, path := range all("good/*.json") {
		if err, _ := judge(policy, read(path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range all("bad/*.json") {
		if err, isJSON := judge(policy, read(path)); isJSON && err == nil {
			t.Errorf("%s is accepted", path)
		}
	}
	for _, path := range all("vectors/*.json") {
		var v struct{ Policy, Settings json.RawMessage }
		if err := json.Unmarshal(read(path), &v); err != nil {
			t.Fatal(err)
		}
		if v.Policy != nil {
			if err, _ := judge(policy, v.Policy); err != nil {
				t.Errorf("%s, policy: %v", path, err)
			}
		}
		if v.Settings != nil {
			if err, _ := judge(settings, v.Settings); err != nil {
				t.Errorf("%s, settings: %v", path, err)
			}
		}
	}
	// Values at the bounds, where the forms differ most easily.
	for _, c := range []struct{ field, value string }{
		{"timeout", `"1ms"`}, {"timeout", `"1h0m0s"`}, {"timeout", `"1.5s"`}, {"timeout", `"5"`}, {"timeout", `""`}, {"timeout", `"-1s"`},
		{"retries", `{"budget":{"ratio":"100%"}}`}, {"retries", `{"budget":{"ratio":"100.00%"}}`}, {"retries", `{"budget":{"ratio":"100.01%"}}`},
		{"retries", `{"budget":{"ratio":"0.05%"}}`}, {"retries", `{"budget":{"ratio":"0.005%"}}`}, {"retries", `{"budget":{"ratio":"020%"}}`}, {"retries", `{"budget":{"ratio":"5"}}`},
		{"retries", `{"maxAttempts":5}`}, {"retries", `{"maxAttempts":6}`}, {"retries", `{"maxAttempts":-1}`}, {"retries", `{"maxAttempts":1.5}`},
		{"service", `"a.b-c.d0"`}, {"service", `"A"`}, {"service", `"a-"`}, {"service", `"-a"`}, {"service", `"a..b"`}, {"service", `""`},
		{"lane", `{"label":"l","key":"key"}`}, {"lane", `{"label":"l","key":"header:"}`}, {"lane", `{"label":"l","key":"cookie:x"}`},
		{"filters", `[{"keep":{}}]`}, {"filters", `[{"keep":{"a":{"present":true}}}]`}, {"filters", `[{"drop":{"a":{"present":false}}}]`}, {"filters", `[{"keep":{"a":{"exact":"x","prefix":"y"}}}]`},
		{"routes", `[{"fault":{}}]`}, {"routes", `[{"fault":{"abort":{"percent":"1%","httpStatus":0}}}]`}, {"routes", `[{"fault":{"abort":{"percent":"1%","httpStatus":200}}}]`},
		{"routes", `[{"hashOn":"query:q"}]`}, {"routes", `[{"hashOn":"q"}]`}, {"telemetry", `{"level":"on"}`}, {"loadBalancer", `{"algorithm":"round-robin"}`},
		{"loadBalancer", `{"hashOn":"cookie:sid"}`}, {"loadBalancer", `{"hashOn":"cookie"}`}, {"loadBalancer", `{"panicThreshold":"50%"}`}, {"loadBalancer", `{"panicThreshold":"50"}`},
		{"loadBalancer", `{"slowStart":{}}`}, {"loadBalancer", `{"slowStart":{"minWeightPercent":101}}`}, {"loadBalancer", `{"slowStart":{"minWeightPercent":100}}`},
		{"outlierDetection", `{}`}, {"outlierDetection", `{"consecutiveFailures":-1}`}, {"outlierDetection", `{"consecutiveFailures":-2}`}, {"outlierDetection", `{"maxEjectionPercent":101}`},
		{"outlierDetection", `{"slowCallEjection":{}}`}, {"outlierDetection", `{"slowCallEjection":{"duration":"1s"}}`}, {"outlierDetection", `{"successRateEjection":{"threshold":1}}`},
		{"outlierDetection", `{"failurePercentageEjection":{"threshold":100}}`}, {"outlierDetection", `{"failurePercentageEjection":{"threshold":101}}`},
		{"outlierDetection", `{"successRateEjection":{"requestVolume":1000000}}`}, {"outlierDetection", `{"successRateEjection":{"requestVolume":1000001}}`},
		{"loadBalancer", `{"localityPreference":"rack"}`}, {"loadBalancer", `{"localityPreference":""}`},
		{"loadBalancer", `{"priorities":[]}`}, {"loadBalancer", `{"priorities":[{"name":"a","labels":{}}]}`}, {"loadBalancer", `{"priorities":[{"name":"","labels":{"v":"1"}}]}`},
		{"loadBalancer", `{"priorities":` + subsets(rule.MaxPriorities) + `}`}, {"loadBalancer", `{"priorities":` + subsets(rule.MaxPriorities+1) + `}`},
		{"loadBalancer", `{"subsetSize":-1}`}, {"loadBalancer", `{"subsetSize":-2}`}, {"loadBalancer", `{"subsetSize":1000000}`}, {"loadBalancer", `{"subsetSize":1000001}`},
		{"loadBalancer", `{"selectionMethod":""}`}, {"loadBalancer", `{"selectionMethod":"full-scan"}`}, {"loadBalancer", `{"selectionMethod":"full-scan","algorithm":"random"}`},
		{"loadBalancer", `{"selectionMethod":"n-choices","algorithm":"least-request"}`}, {"loadBalancer", `{"selectionMethod":"best","algorithm":"least-request"}`},
		{"loadBalancer", `{"hashBalanceFactor":0}`}, {"loadBalancer", `{"hashBalanceFactor":125}`}, {"loadBalancer", `{"hashBalanceFactor":125,"algorithm":"maglev"}`},
		{"loadBalancer", `{"hashBalanceFactor":-1,"algorithm":"ring-hash"}`}, {"loadBalancer", `{"hashBalanceFactor":99,"algorithm":"ring-hash"}`}, {"loadBalancer", `{"hashBalanceFactor":-2,"algorithm":"ring-hash"}`},
		{"loadBalancer", `{"hashBalanceFactor":1000001,"algorithm":"ring-hash"}`}, {"loadBalancer", `{"reportedWeights":{}}`}, {"loadBalancer", `{"reportedWeights":{},"algorithm":"weighted-round-robin"}`},
		{"outlierDetection", `{"slowCallEjection":{"off":false}}`}, {"outlierDetection", `{"slowCallEjection":{"off":true}}`}, {"outlierDetection", `{"slowCallEjection":{"off":true,"duration":"1s"}}`},
		{"healthCheck", `{}`}, {"healthCheck", `{"off":true,"interval":"5s"}`}, {"healthCheck", `{"path":"/"}`}, {"healthCheck", `{"interval":5}`},
		{"healthCheck", `{"unhealthyThreshold":100}`}, {"healthCheck", `{"unhealthyThreshold":101}`}, {"healthCheck", `{"healthyThreshold":-1}`},
		{"routes", `[{"mirror":{"percent":"0%"}}]`}, {"routes", `[{"mirror":{"percent":"0.00%"}}]`}, {"routes", `[{"mirror":{"percent":"0.01%"}}]`},
		{"routes", `[{"fault":{"delay":{"fixedDelay":"1s","percent":"0%"}}}]`}, {"routes", `[{"fault":{"abort":{"percent":"00.0%"}}}]`},
		{"routes", `[{"strict":true,"fallback":""}]`}, {"routes", `[{"strict":true,"fallback":"a"}]`},
		{"routes", `[{"fault":{"abort":{"percent":"1%","httpStatus":399}}}]`}, {"routes", `[{"fault":{"abort":{"percent":"1%","httpStatus":400}}}]`},
		{"routes", `[{"fault":{"abort":{"percent":"1%","httpStatus":599}}}]`}, {"routes", `[{"fault":{"abort":{"percent":"1%","httpStatus":600}}}]`},
		{"idempotent", `true`}, {"idempotent", `"true"`},
		{"retries", `{"perTryTimeout":"300ms"}`}, {"retries", `{"backoff":{"baseInterval":"1s"}}`}, {"retries", `{"backoff":{"base":"1s"}}`},
		{"retries", `{"retryOn":[]}`}, {"retries", `{"retryOn":["reset"]}`}, {"retries", `{"retryOn":["resets"]}`}, {"retries", `{"retryOn":[503]}`},
		{"retries", `{"retryOn":["400","599"]}`}, {"retries", `{"retryOn":["399"]}`}, {"retries", `{"retryOn":["600"]}`}, {"retries", `{"retryOn":["0503"]}`},
		{"retries", `{"retryOn":["DATA_LOSS"]}`}, {"retries", `{"retryOn":["OK"]}`}, {"retries", `{"retryOn":["500-599"]}`},
		{"retries", `{"retryOn":` + many(rule.MaxCodes, `"reset"`) + `}`}, {"retries", `{"retryOn":` + many(rule.MaxCodes+1, `"reset"`) + `}`},
		{"routes", `[{"retries":{"retryOn":["timeout","499"]}}]`}, {"routes", `[{"retries":{"retryOn":["200"]}}]`}, {"routes", `[{"retries":{"budget":{}}}]`},
		{"hedge", `{}`}, {"hedge", `{"off":true}`}, {"hedge", `{"off":false}`}, {"hedge", `{"off":true,"percentile":"99.99%"}`}, {"hedge", `{"off":true,"percentile":"100%"}`},
		{"hedge", `{"off":true,"percentile":"0%"}`}, {"hedge", `{"off":true,"percentile":"95%","delay":"1s"}`}, {"hedge", `{"off":true,"percentile":"95%","delay":"0s"}`},
		{"hedge", `{"off":true,"minDelay":"1ms","delay":"1s"}`}, {"hedge", `{"off":true,"maxExtra":"100%"}`}, {"hedge", `{"off":true,"maxExtra":"00.00%"}`},
		{"routes", `[{"idempotent":true,"hedge":{}}]`}, {"routes", `[{"idempotent":true,"hedge":{"maxExtra":"0.001%"}}]`},
		{"circuitBreaker", `{}`}, {"circuitBreaker", `{"failureRate":"0%"}`}, {"circuitBreaker", `{"failureRate":"0.01%"}`}, {"circuitBreaker", `{"failureRate":"100%"}`},
		{"circuitBreaker", `{"slowCallRate":"50%"}`}, {"circuitBreaker", `{"slowCallRate":"50%","slowCallDuration":"0s"}`}, {"circuitBreaker", `{"slowCallRate":"50%","slowCallDuration":"1s"}`},
		{"circuitBreaker", `{"minRequests":1000000}`}, {"circuitBreaker", `{"minRequests":1000001}`}, {"circuitBreaker", `{"consecutiveFailures":-1}`},
		{"circuitBreaker", `{"halfOpenRequests":1000}`}, {"circuitBreaker", `{"halfOpenRequests":1001}`},
		{"outcomes", `[]`}, {"outcomes", `[{"codes":["404"],"as":"success"}]`}, {"outcomes", `[{"codes":[],"as":"success"}]`}, {"outcomes", `[{"codes":["404"]}]`}, {"outcomes", `[{"as":"success"}]`},
		{"outcomes", `[{"codes":["100-599","ABORTED"],"as":"neutral"}]`}, {"outcomes", `[{"codes":["99"],"as":"neutral"}]`}, {"outcomes", `[{"codes":["500-600"],"as":"neutral"}]`},
		{"outcomes", `[{"codes":["500-"],"as":"neutral"}]`}, {"outcomes", `[{"codes":["500-599-600"],"as":"neutral"}]`}, {"outcomes", `[{"codes":["5xx"],"as":"neutral"}]`},
		{"outcomes", many(rule.MaxOutcomes, `{"codes":["404"],"as":"success"}`)}, {"outcomes", many(rule.MaxOutcomes+1, `{"codes":["404"],"as":"success"}`)},
		{"faultTolerance", `"failover"`}, {"faultTolerance", `""`}, {"routes", `[{"faultTolerance":"forking"}]`},
		{"routes", `[{"faultTolerance":"failfast","retries":{"maxAttempts":1}}]`}, {"routes", `[{"faultTolerance":"failfast","retries":{"maxAttempts":2}}]`},
		{"onFailure", `{}`}, {"onFailure", `{"service":"spare"}`}, {"onFailure", `{"service":""}`}, {"onFailure", `{"service":"Spare"}`}, {"onFailure", `{"value":"{}"}`},
		{"onFailure", `{"service":"spare","value":"{}"}`}, {"onFailure", `{"service":"","value":"{}"}`}, {"onFailure", `{"service":"spare","httpStatus":0}`},
		{"onFailure", `{"service":"spare","httpStatus":200}`}, {"onFailure", `{"value":"1","httpStatus":200}`}, {"onFailure", `{"value":"1","httpStatus":199}`},
		{"onFailure", `{"value":"1","httpStatus":599}`}, {"onFailure", `{"value":"1","httpStatus":600}`}, {"onFailure", `{"value":{}}`},
		{"onFailure", `{"value":"` + strings.Repeat("1", rule.MaxValue) + `"}`}, {"onFailure", `{"value":"` + strings.Repeat("1", rule.MaxValue+1) + `"}`},
		{"priority", `"critical"`}, {"priority", `""`}, {"priority", `"high"`}, {"routes", `[{"priority":"sheddable"}]`}, {"routes", `[{"priority":"bulk"}]`},
		{"limits", `[]`}, {"limits", `[{"name":"a","rate":"1/s"}]`}, {"limits", `[{"name":"","rate":"1/s"}]`}, {"limits", `[{"rate":"1/s"}]`}, {"limits", `[{"name":"a"}]`},
		{"limits", rate(`"0/s"`)}, {"limits", rate(`"00.000/h"`)}, {"limits", rate(`"0.000001/h"`)}, {"limits", rate(`"0.0000001/h"`)}, {"limits", rate(`"1000000000/s"`)},
		{"limits", rate(`"3600000000000/h"`)}, {"limits", rate(`"10000000000000/h"`)}, {"limits", rate(`"1/d"`)}, {"limits", rate(`"1"`)}, {"limits", rate(`1`)}, {"limits", rate(`"-1/s"`)}, {"limits", rate(`"1./m"`)},
		{"limits", rate(`"1/s","burst":1000000000`)}, {"limits", rate(`"1/s","burst":1000000001`)}, {"limits", rate(`"1/s","burst":-1`)},
		{"limits", rate(`"1/s","per":""`)}, {"limits", rate(`"1/s","per":"class"`)}, {"limits", rate(`"1/s","per":"instance"`)}, {"limits", rate(`"1/s","per":"header"`)},
		{"limits", rate(`"1/s","per":"header:X-a.b_c!~"`)}, {"limits", rate(`"1/s","per":"header:"`)}, {"limits", rate(`"1/s","per":"header:a b"`)}, {"limits", rate(`"1/s","per":"header:a:b"`)}, {"limits", rate(`"1/s","per":"header:é"`)},
		{"limits", rate(`"1/s","per":"key","maxKeys":1000000`)}, {"limits", rate(`"1/s","per":"key","maxKeys":1000001`)}, {"limits", rate(`"1/s","maxKeys":0`)}, {"limits", rate(`"1/s","maxKeys":1`)},
		{"limits", rate(`"1/s","maxKeys":1,"per":"service"`)}, {"limits", rate(`"1/s","maxKeys":1,"per":"class"`)}, {"limits", rate(`"1/s","maxKeys":1,"per":"method"`)}, {"limits", rate(`"1/s","maxKeys":1,"per":"header:a"`)},
		{"limits", rate(`"1/s","scope":"shared"`)}, {"limits", rate(`"1/s","scope":"shared","per":"service"`)}, {"limits", rate(`"1/s","scope":"shared","per":"caller"`)}, {"limits", rate(`"1/s","scope":"process","per":"caller"`)},
		{"limits", limits(rule.MaxLimits, `"rate":"1/s"`)}, {"limits", limits(rule.MaxLimits+1, `"rate":"1/s"`)},
		{"concurrency", `[]`}, {"concurrency", inFlight(`"max":1`)}, {"concurrency", inFlight(`"max":0`)}, {"concurrency", inFlight(`"max":-1`)}, {"concurrency", inFlight(`"max":1000000`)}, {"concurrency", inFlight(`"max":1000001`)},
		{"concurrency", inFlight(`"adaptive":{}`)}, {"concurrency", inFlight(`"adaptive":{},"max":0`)}, {"concurrency", inFlight(`"adaptive":{},"max":1`)}, {"concurrency", inFlight(`"adaptive":{"min":-1}`)},
		{"concurrency", inFlight(`"adaptive":{"max":1000000}`)}, {"concurrency", inFlight(`"adaptive":{"max":1000001}`)}, {"concurrency", inFlight(`"max":1,"per":"caller"`)},
		{"concurrency", inFlight(`"max":1,"per":"instance"`)}, {"concurrency", inFlight(`"max":1,"per":"instance","wait":"0s"`)}, {"concurrency", inFlight(`"max":1,"per":"instance","wait":"1s"`)}, {"concurrency", inFlight(`"max":1,"per":"instance","match":[]`)}, {"concurrency", inFlight(`"max":1,"per":"instance","match":[{"method":"GET"}]`)}, {"concurrency", inFlight(`"max":1,"per":"class","wait":"1s"`)},
		{"concurrency", limits(rule.MaxConcurrency, `"max":1`)}, {"concurrency", limits(rule.MaxConcurrency+1, `"max":1`)},
		{"throttle", `{}`}, {"throttle", `{"k":0}`}, {"throttle", `{"k":1}`}, {"throttle", `{"k":1.01}`}, {"throttle", `{"k":100}`}, {"throttle", `{"k":100.5}`}, {"throttle", `{"k":"2"}`}, {"throttle", `{"k":-1}`},
		{"throttle", `{"maxReject":"0%"}`}, {"throttle", `{"maxReject":"0.01%"}`}, {"throttle", `{"maxReject":"99.99%"}`}, {"throttle", `{"maxReject":"100.0%"}`},
		{"server", `{}`}, {"server", `{"off":true}`}, {"server", `{"limits":[],"concurrency":[]}`}, {"server", `{"throttle":{}}`},
		{"server", `{"limits":` + rate(`"1/s","per":"caller","scope":"process"`) + `}`}, {"server", `{"limits":` + rate(`"1/s","per":"key"`) + `}`}, {"server", `{"limits":` + rate(`"1/s","scope":"shared"`) + `}`},
		{"server", `{"limits":` + limits(rule.MaxLimits, `"rate":"1/s"`) + `}`}, {"server", `{"limits":` + limits(rule.MaxLimits+1, `"rate":"1/s"`) + `}`},
		{"server", `{"concurrency":` + inFlight(`"max":1,"per":"method"`) + `}`}, {"server", `{"concurrency":` + inFlight(`"max":1,"per":"instance"`) + `}`},
		{"server", `{"concurrency":` + limits(rule.MaxConcurrency, `"max":1`) + `}`}, {"server", `{"concurrency":` + limits(rule.MaxConcurrency+1, `"max":1`) + `}`},
		{"gateway", `{}`}, {"gateway", `{"off":true}`}, {"gateway", `{"off":false}`}, {"gateway", `{"off":true,"service":""}`}, {"gateway", `{"service":"edge"}`}, {"gateway", `{"service":"Edge"}`}, {"gateway", `{"service":""}`},
		{"gateway", `{"service":"edge","share":"0%"}`}, {"gateway", `{"service":"edge","share":"0.01%"}`}, {"gateway", `{"service":"edge","share":"100%"}`},
		{"retries", `{"budget":{"minPerSecond":10000}}`}, {"retries", `{"budget":{"minPerSecond":10001}}`},
		{"filters", many(rule.MaxFilters, `{"drop":{"a":{"present":true}}}`)}, {"filters", many(rule.MaxFilters+1, `{"drop":{"a":{"present":true}}}`)},
		{"routes", many(rule.MaxRoutes, `{}`)}, {"routes", many(rule.MaxRoutes+1, `{}`)},
		{"subsets", subsets(rule.MaxSubsets)}, {"subsets", subsets(rule.MaxSubsets + 1)},
	} {
		fields := map[string]json.RawMessage{"service": json.RawMessage(`"orders"`), c.field: json.RawMessage(c.value)}
		spec, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		text := []byte(`{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":` + string(spec) + `}`)
		bySchema, _ := judge(policy, text)
		if _, byDecoder := rule.Decode(text); (bySchema == nil) != (byDecoder == nil) {
			t.Errorf("%s %s: the schema says %v, the decoder %v", c.field, c.value, bySchema, byDecoder)
		}
	} // Each name that is in a schema, and one that is not.
	for _, c := range []struct {
		schema   *jsonschema.Schema
		file     string
		of       string // the field's definition
		field    string // its name there
		document string // with the name at %s
		decode   func([]byte) error
	}{
		{policy, "servicepolicy", "LoadBalancer", "algorithm", `"kind":"ServicePolicy","spec":{"service":"orders","loadBalancer":{"algorithm":"%s"}}`, decodePolicy},
		{policy, "servicepolicy", "LoadBalancer", "localityPreference", `"kind":"ServicePolicy","spec":{"service":"orders","loadBalancer":{"localityPreference":"%s"}}`, decodePolicy},
		{policy, "servicepolicy", "Telemetry", "level", `"kind":"ServicePolicy","spec":{"service":"orders","telemetry":{"level":"%s"}}`, decodePolicy},
		{policy, "servicepolicy", "CircuitBreaker", "mode", `"kind":"ServicePolicy","spec":{"service":"orders","circuitBreaker":{"mode":"%s"}}`, decodePolicy},
		{policy, "servicepolicy", "CircuitBreaker", "scope", `"kind":"ServicePolicy","spec":{"service":"orders","circuitBreaker":{"scope":"%s"}}`, decodePolicy},
		{policy, "servicepolicy", "Outcome", "as", `"kind":"ServicePolicy","spec":{"service":"orders","outcomes":[{"codes":["404"],"as":"%s"}]}`, decodePolicy},
		{policy, "servicepolicy", "Spec", "faultTolerance", `"kind":"ServicePolicy","spec":{"service":"orders","faultTolerance":"%s"}`, decodePolicy},
		{policy, "servicepolicy", "Spec", "priority", `"kind":"ServicePolicy","spec":{"service":"orders","priority":"%s"}`, decodePolicy},
		{policy, "servicepolicy", "RateLimit", "scope", `"kind":"ServicePolicy","spec":{"service":"orders","limits":[{"name":"a","rate":"1/s","scope":"%s"}]}`, decodePolicy},
		{policy, "servicepolicy", "Concurrency", "per", `"kind":"ServicePolicy","spec":{"service":"orders","concurrency":[{"name":"a","max":1,"per":"%s"}]}`, decodePolicy},
		{policy, "servicepolicy", "Abort", "grpcStatus", `"kind":"ServicePolicy","spec":{"service":"orders","routes":[{"fault":{"abort":{"percent":"1%%","grpcStatus":"%s"}}}]}`, decodePolicy},
		{settings, "settings", "SettingsSpec", "off", `"kind":"Settings","spec":{"off":["%s"]}`, decodeSettings},
		{settings, "settings", "Switches", "off", `"kind":"Settings","spec":{"services":{"orders":{"off":["%s"]}}}`, decodeSettings},
	} {
		text := func(name string) []byte {
			return []byte(`{"apiVersion":"fairlead/v1alpha1",` + fmt.Sprintf(c.document, name) + `}`)
		}
		var parsed struct {
			Defs map[string]struct {
				Properties map[string]struct {
					Enum  []string
					Items struct{ Enum []string }
				}
			} `json:"$defs"`
		}
		if err := json.Unmarshal(read("../../rule/schema/"+c.file+".v1alpha1.json"), &parsed); err != nil {
			t.Fatal(err)
		}
		f := parsed.Defs[c.of].Properties[c.field]
		named := slices.Concat(f.Enum, f.Items.Enum)
		err := c.decode(text("none-such"))
		if len(named) == 0 || err == nil {
			t.Fatalf("%s.%s: %d names, and none-such is taken", c.of, c.field, len(named))
		}
		// The decoder lists what it allows: its list is what editors offer.
		_, list, _ := strings.Cut(err.Error(), "allowed are ")
		allowed := strings.Split(list, ", ")
		named = slices.DeleteFunc(named, func(name string) bool { return name == "" })
		slices.Sort(allowed)
		slices.Sort(named)
		if !slices.Equal(allowed, named) {
			t.Errorf("%s.%s: the schema has %q, the decoder %q", c.of, c.field, named, allowed)
		}
		for _, name := range append(named, "none-such") {
			bySchema, _ := judge(c.schema, text(name))
			if byDecoder := c.decode(text(name)); (bySchema == nil) != (byDecoder == nil) {
				t.Errorf("%s.%s %q: the schema says %v, the decoder %v", c.of, c.field, name, bySchema, byDecoder)
			}
		}
	}
}

func decodePolicy(text []byte) error   { _, err := rule.Decode(text); return err }
func decodeSettings(text []byte) error { _, err := rule.DecodeSettings(text); return err }

func many(n int, item string) string {
	return "[" + strings.Join(slices.Repeat([]string{item}, n), ",") + "]"
}

func subsets(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"name":"s%d","labels":{"v":"1"}}`, i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

// rate is a list of one limit, of which this is the rate, and what follows it.
func rate(text string) string { return `[{"name":"a","rate":` + text + `}]` }

// inFlight is a list of one limit of calls in flight.
func inFlight(fields string) string { return `[{"name":"a",` + fields + `}]` }

// limits is a list of so many that have names of their own.
func limits(n int, fields string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"name":"l%d",%s}`, i, fields)
	}
	return "[" + strings.Join(items, ",") + "]"
}
