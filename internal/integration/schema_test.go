package integration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
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
	}
}
