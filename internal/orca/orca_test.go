package orca_test

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/orca"
)

// full is a load of which everything is said.
var full = balancer.Load{Utilization: 0.5, QPS: 1000, EPS: 2, InFlight: 3, Latency: 20 * time.Millisecond}

func TestHeader(t *testing.T) {
	long := strings.Repeat(" ", 4097)
	tests := []struct {
		name, value string
		want        balancer.Load
		bad         bool
	}{
		{"all that is kept", "TEXT application_utilization=0.5,rps_fractional=1000,eps=2,named_metrics.fairlead.rif=3,named_metrics.fairlead.latency_seconds=0.02", full, false},
		{"what Envoy's tests have", "TEXT cpu_utilization=0.7,application_utilization=0.8,mem_utilization=0.9,rps_fractional=1000,eps=2,named_metrics.foo=123,named_metrics.bar=0.2",
			balancer.Load{Utilization: 0.8, QPS: 1000, EPS: 2}, false},
		{"with spaces, as vLLM has it", "TEXT cpu_utilization=0.3, mem_utilization=0.8, rps_fractional=10.0, eps=1, named_metrics.custom=0.4",
			balancer.Load{Utilization: 0.3, QPS: 10, EPS: 1}, false},
		{"with colons, as Envoy once had it", "TEXT cpu_utilization:0.3,rps_fractional:10", balancer.Load{Utilization: 0.3, QPS: 10}, false},
		{"a colon in a name", "TEXT named_metrics.vllm:cache=0.3,eps=1", balancer.Load{EPS: 1}, false},
		{"an exponent", "TEXT rps_fractional=1e+06", balancer.Load{QPS: 1e6}, false},
		{"nothing", "TEXT ", balancer.Load{}, false},
		{"nothing at all", "TEXT", balancer.Load{}, false},
		{"what is not kept may be negative", "TEXT eps=1,named_metrics.temperature=-20", balancer.Load{EPS: 1}, false},
		{"text: no number", `TEXT cpu_utilization="0.7"`, balancer.Load{}, true},
		{"text: no value", "TEXT cpu_utilization", balancer.Load{}, true},
		{"text: no name", "TEXT =1", balancer.Load{}, true},
		{"text: no name of a named metric", "TEXT named_metrics.=1", balancer.Load{}, true},
		{"text: twice", "TEXT cpu_utilization=0.7,cpu_utilization=0.8", balancer.Load{}, true},
		{"text: NaN", "TEXT cpu_utilization=nan", balancer.Load{}, true},
		{"text: infinite", "TEXT named_metrics.foo=inf", balancer.Load{}, true},
		{"text: negative", "TEXT cpu_utilization=-1", balancer.Load{}, true},
		{"text: too many", "TEXT " + strings.Repeat("a=1,", 101), balancer.Load{}, true},
		{"text: as many as may be", "TEXT eps=1," + strings.Repeat("a=1,", 99), balancer.Load{EPS: 1}, false},
		{"text: too long", "TEXT" + long, balancer.Load{}, true},

		{"JSON", `JSON {"application_utilization": 0.5, "rps_fractional": 1000, "eps": 2, "named_metrics": {"fairlead.rif": 3, "fairlead.latency_seconds": 0.02}}`, full, false},
		{"JSON in camel case, with strings", `JSON {"applicationUtilization": "0.5", "rpsFractional": "1000", "eps": "2", "namedMetrics": {"fairlead.rif": "3", "fairlead.latency_seconds": "0.02"}}`, full, false},
		{"JSON with what is not kept", `JSON {"cpu_utilization": 0.7, "request_cost": {"a": 1}, "new_field": [2], "named_metrics": {"foo": -1}}`, balancer.Load{Utilization: 0.7}, false},
		{"JSON: null is not said", `JSON {"cpu_utilization": null}`, balancer.Load{}, false},
		{"JSON: not any", "JSON not-a-valid-json-string", balancer.Load{}, true},
		{"JSON: no object", "JSON 0.7", balancer.Load{}, true},
		{"JSON: more behind", "JSON {} {}", balancer.Load{}, true},
		{"JSON: no number", `JSON {"cpu_utilization": "much"}`, balancer.Load{}, true},
		{"JSON: NaN", `JSON {"cpu_utilization": "NaN"}`, balancer.Load{}, true},
		{"JSON: negative", `JSON {"cpu_utilization": -1}`, balancer.Load{}, true},
		{"JSON: twice, in two ways", `JSON {"cpu_utilization": 0.7, "cpuUtilization": 0.7}`, balancer.Load{}, true},
		{"JSON: named metrics that are none", `JSON {"named_metrics": 7}`, balancer.Load{}, true},
		{"JSON: too long", "JSON {}" + long, balancer.Load{}, true},

		{"base64", "BIN " + base64.StdEncoding.EncodeToString(orca.AppendBinary(nil, full)), full, false},
		{"base64 without padding", "BIN " + base64.RawStdEncoding.EncodeToString(orca.AppendBinary(nil, full)), full, false},
		{"base64: not any", "BIN not-a-valid-binary-proto", balancer.Load{}, true},
		{"base64: cut short", "BIN " + base64.StdEncoding.EncodeToString(orca.AppendBinary(nil, full)[:20]), balancer.Load{}, true},

		{"no form", "cpu_utilization=0.7", balancer.Load{}, true},
		{"another form", "BAD random-value", balancer.Load{}, true},
		{"forms are in capitals", "text cpu_utilization=0.7", balancer.Load{}, true},
		{"empty", "", balancer.Load{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := orca.ParseHeader(tt.value)
			if got != tt.want || (err != nil) != tt.bad {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestBinary(t *testing.T) {
	half := "\x00\x00\x00\x00\x00\x00\xe0\x3f" // 0.5
	tests := []struct {
		name, value string
		want        balancer.Load
		bad         bool
	}{
		{"nothing", "", balancer.Load{}, false},
		{"CPU", "\x09" + half, balancer.Load{Utilization: 0.5}, false},
		{"the application before the CPU", "\x49" + half + "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f", balancer.Load{Utilization: 0.5}, false},
		{"QPS", "\x31" + half, balancer.Load{QPS: 0.5}, false},
		{"EPS", "\x39" + half, balancer.Load{EPS: 0.5}, false},
		{"the last of several", "\x39\x00\x00\x00\x00\x00\x00\xf0\x3f\x39" + half, balancer.Load{EPS: 0.5}, false},
		{"a named metric", "\x42\x17\x0a\x0cfairlead.rif\x11\x00\x00\x00\x00\x00\x00\x08\x40", balancer.Load{InFlight: 3}, false},
		{"a named metric of others", "\x42\x0e\x0a\x03foo\x11" + half, balancer.Load{}, false},
		{"one that is named like a field", "\x42\x0e\x0a\x03eps\x11" + half, balancer.Load{}, false},
		{"memory, old rps, costs: not kept", "\x11" + half + "\x18\xac\x02\x22\x0e\x0a\x03foo\x11" + half + "\x09" + half, balancer.Load{Utilization: 0.5}, false},
		{"fields of the future", "\x95\x3f\x00\x00\x00\x00\x09" + half, balancer.Load{Utilization: 0.5}, false},
		{"a field of another type", "\x0a\x01x", balancer.Load{}, false},
		{"cut in a tag", "\x80", balancer.Load{}, true},
		{"cut in a number", "\x09\x00", balancer.Load{}, true},
		{"cut in a length", "\x42\x80", balancer.Load{}, true},
		{"longer than there is", "\x42\x7f\x00", balancer.Load{}, true},
		{"longer than can be", "\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", balancer.Load{}, true},
		{"a number of more than 64 bits", "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", balancer.Load{}, true},
		{"an entry that is malformed", "\x42\x01\x0a", balancer.Load{}, true},
		{"field 0", "\x01" + half, balancer.Load{}, true},
		{"a group", "\x0b\x0c", balancer.Load{}, true},
		{"NaN", "\x09\x00\x00\x00\x00\x00\x00\xf8\x7f", balancer.Load{}, true},
		{"negative", "\x09\x00\x00\x00\x00\x00\x00\xf0\xbf", balancer.Load{}, true},
		{"too many", strings.Repeat("\x18\x01", 101), balancer.Load{}, true},
		{"too long", "\x5a\x81\x20" + strings.Repeat("x", 4097), balancer.Load{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := orca.ParseBinary(tt.value)
			if got != tt.want || (err != nil) != tt.bad {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestWritten(t *testing.T) {
	if got, want := string(orca.AppendText(nil, full)), "TEXT application_utilization=0.5,rps_fractional=1000,eps=2,named_metrics.fairlead.rif=3,named_metrics.fairlead.latency_seconds=0.02"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(orca.AppendText(nil, balancer.Load{EPS: 1})); got != "TEXT eps=1" {
		t.Errorf("what is not said is written: %q", got)
	}
	if got := orca.AppendBinary(nil, balancer.Load{}); len(got) > 0 {
		t.Errorf("what is not said is written: %q", got)
	}
}

// What is too large for a load becomes the largest there is.
func TestExtremes(t *testing.T) {
	got, err := orca.ParseHeader("TEXT named_metrics.fairlead.rif=1e300,named_metrics.fairlead.latency_seconds=1e300,eps=1e308")
	if want := (balancer.Load{EPS: 1e308, InFlight: math.MaxInt32, Latency: 1 << 62}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// Whatever comes in, nothing but a valid load comes out, and written it is read
// as the same.
func check(t *testing.T, load balancer.Load, err error) {
	t.Helper()
	switch {
	case err != nil && load != balancer.Load{}:
		t.Fatalf("%+v beside %v", load, err)
	case !load.Valid():
		t.Fatalf("%+v", load)
	}
	load.Latency = load.Latency.Truncate(time.Microsecond)
	again, err := orca.ParseBinary(string(orca.AppendBinary(nil, load)))
	if err != nil || !alike(again, load, 1e-9) {
		t.Fatalf("%+v was read as %+v, %v", load, again, err)
	}
	if again, err = orca.ParseHeader(string(orca.AppendText(nil, load))); err != nil || !alike(again, load, 1e-5) {
		t.Fatalf("%+v was read as %+v, %v", load, again, err)
	}
}

func alike(a, b balancer.Load, off float64) bool {
	for _, pair := range [][2]float64{
		{a.Utilization, b.Utilization}, {a.QPS, b.QPS}, {a.EPS, b.EPS}, {float64(a.InFlight), float64(b.InFlight)}, {float64(a.Latency), float64(b.Latency)},
	} {
		if math.Abs(pair[0]-pair[1]) > off*pair[1]+1 && math.Abs(pair[0]/2-pair[1]/2) > off*(pair[1]/2) {
			return false
		}
	}
	return true
}

func FuzzHeader(f *testing.F) {
	f.Add("TEXT cpu_utilization=0.3, mem_utilization=0.8,rps_fractional:10.0,named_metrics.fairlead.rif=4")
	f.Add(`JSON {"cpuUtilization": "0.3", "named_metrics": {"fairlead.rif": 4}}`)
	f.Add("BIN CQAAAAAAAOA/")
	f.Fuzz(func(t *testing.T, s string) {
		load, err := orca.ParseHeader(s)
		check(t, load, err)
	})
}

func FuzzBinary(f *testing.F) {
	f.Add(string(orca.AppendBinary(nil, full)))
	f.Fuzz(func(t *testing.T, s string) {
		load, err := orca.ParseBinary(s)
		check(t, load, err)
	})
}

func BenchmarkParse(b *testing.B) {
	text, binary := string(orca.AppendText(nil, full)), string(orca.AppendBinary(nil, full))
	b.Run("form=TEXT", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			orca.ParseHeader(text)
		}
	})
	b.Run("form=binary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			orca.ParseBinary(binary)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	buffer := make([]byte, 0, 256)
	b.Run("form=TEXT", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			orca.AppendText(buffer, full)
		}
	})
	b.Run("form=binary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			orca.AppendBinary(buffer, full)
		}
	})
}
