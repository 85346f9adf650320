package rule_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// counting is the part of a limit that can be compared with ==.
type counting struct {
	name   string
	per    rule.Scope
	header string
}

func countingOf(c *rule.Counting) counting { return counting{c.Name, c.Per, c.Header.Lower} }

// goodConfigs: what a document may say, package ratelimit takes.
func goodConfigs(t *testing.T, table *rule.Table) {
	t.Helper()
	check := func(limits []rule.LimitTable, concurrency []rule.ConcurrencyTable) {
		t.Helper()
		for _, l := range limits {
			if err := l.Config.Validate(); err != nil || l.Wait < 0 || l.Wait > ratelimit.MostWait {
				t.Errorf("limit %+v: %v", l, err)
			}
		}
		for _, l := range concurrency {
			if err := l.Config.Validate(); err != nil {
				t.Errorf("concurrency %+v: %v", l, err)
			}
		}
	}
	check(table.Limits, table.Concurrency)
	if s := table.Server; s != nil {
		check(s.Limits, s.Concurrency)
	}
	if h := table.Throttle; h != nil {
		if err := h.Config.Validate(); err != nil {
			t.Error(err)
		}
	}
	if g := table.Gateway; g != nil && !(g.Share > 0 && g.Share <= 1 && (g.Off || g.Service != "")) {
		t.Errorf("gateway %+v", g)
	}
}

func TestLimitTable(t *testing.T) {
	for _, c := range []struct {
		name, limit string
		counting    counting
		want        rule.LimitTable
	}{
		{"Least", `{"name":"a","rate":"5/s"}`, counting{"a", rule.PerService, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 5}}},
		{"PerMinute", `{"name":"a","rate":"30/m"}`, counting{"a", rule.PerService, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 0.5}}},
		{"PerHour", `{"name":"a","rate":"900/h"}`, counting{"a", rule.PerService, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 0.25}}},
		{"Service", `{"name":"a","rate":"5/s","per":"service","scope":"process"}`, counting{"a", rule.PerService, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 5}}},
		{"Shared", `{"name":"a","rate":"5/s","scope":"shared"}`, counting{"a", rule.PerService, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 5}, Shared: true}},
		{"Method", `{"name":"a","rate":"5/s","per":"method"}`, counting{"a", rule.PerMethod, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 5}}},
		{"Caller", `{"name":"a","rate":"5/s","per":"caller","maxKeys":7}`, counting{"a", rule.PerCaller, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 5, MaxKeys: 7}}},
		{"Key", `{"name":"a","rate":"5/s","per":"key","burst":9}`, counting{"a", rule.PerKey, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 5, Burst: 9}}},
		{"Class", `{"name":"a","rate":"5/s","per":"class","wait":"50ms"}`, counting{"a", rule.PerClass, ""}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 5}, Wait: 50 * time.Millisecond}},
		{"Header", `{"name":"a","rate":"5/s","per":"header:X-Tenant"}`, counting{"a", rule.PerHeader, "x-tenant"}, rule.LimitTable{Config: ratelimit.RateConfig{Rate: 5}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := spec(t, `"limits":[`+c.limit+`]`).Limits[0]
			if countingOf(&got.Counting) != c.counting {
				t.Errorf("it counts %+v, want %+v", countingOf(&got.Counting), c.counting)
			}
			if got.Config != c.want.Config || got.Wait != c.want.Wait || got.Shared != c.want.Shared {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestConcurrencyTable(t *testing.T) {
	for _, c := range []struct {
		name, limit string
		counting    counting
		want        ratelimit.ConcurrencyConfig
	}{
		{"Max", `{"name":"a","max":5}`, counting{"a", rule.PerService, ""}, ratelimit.ConcurrencyConfig{Max: 5}},
		{"Wait", `{"name":"a","max":5,"per":"method","wait":"1s"}`, counting{"a", rule.PerMethod, ""}, ratelimit.ConcurrencyConfig{Max: 5, MaxWait: time.Second}},
		{"Adaptive", `{"name":"a","per":"class","adaptive":{}}`, counting{"a", rule.PerClass, ""}, ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{}}},
		{"Bounds", `{"name":"a","per":"instance","adaptive":{"min":2,"max":30,"initial":7}}`, counting{"a", rule.PerInstance, ""},
			ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{Min: 2, Max: 30, Initial: 7}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := spec(t, `"concurrency":[`+c.limit+`]`).Concurrency[0]
			if countingOf(&got.Counting) != c.counting || !reflect.DeepEqual(got.Config, c.want) {
				t.Errorf("%+v, want %+v of %+v", got, c.want, c.counting)
			}
		})
	}
}

func TestThrottleAndGatewayTables(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		throttle   *rule.ThrottleTable
		gateway    *rule.GatewayTable
	}{
		{"Nothing", `"timeout":"0s"`, nil, nil},
		{"Throttle", `"throttle":{}`, &rule.ThrottleTable{}, nil},
		{"ThrottleOff", `"throttle":{"off":true}`, &rule.ThrottleTable{Off: true}, nil},
		{"ThrottleOfAllFields", `"throttle":{"k":1.25,"window":"7s","maxReject":"80%"}`,
			&rule.ThrottleTable{Config: ratelimit.ThrottleConfig{K: 1.25, Window: 7 * time.Second, MaxReject: 0.8}}, nil},
		{"GatewayForAll", `"gateway":{"service":"edge"}`, nil, &rule.GatewayTable{Service: "edge", Share: 1}},
		{"GatewayForSome", `"gateway":{"service":"edge","share":"30%"}`, nil, &rule.GatewayTable{Service: "edge", Share: 0.3}},
		{"GatewayOff", `"gateway":{"off":true}`, nil, &rule.GatewayTable{Off: true, Share: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := spec(t, c.spec)
			if !reflect.DeepEqual(table.Throttle, c.throttle) {
				t.Errorf("throttle %+v, want %+v", table.Throttle, c.throttle)
			}
			if !reflect.DeepEqual(table.Gateway, c.gateway) {
				t.Errorf("gateway %+v, want %+v", table.Gateway, c.gateway)
			}
		})
	}
}

func TestServerTable(t *testing.T) {
	if s := spec(t, `"limits":[{"name":"a","rate":"1/s"}]`).Server; s != nil {
		t.Errorf("of a document that says nothing of servers: %+v", s)
	}
	s := spec(t, `"server":{"off":true,"limits":[{"name":"a","rate":"1/s","per":"caller","match":[{"method":"GET"}]}],"concurrency":[{"name":"b","max":3}]}`).Server
	if !s.Off || len(s.Limits) != 1 || len(s.Concurrency) != 1 {
		t.Fatalf("%+v", s)
	}
	if l := &s.Limits[0]; countingOf(&l.Counting) != (counting{"a", rule.PerCaller, ""}) || l.Config.Rate != 1 {
		t.Errorf("limit %+v", l)
	}
	if l := &s.Concurrency[0]; countingOf(&l.Counting) != (counting{"b", rule.PerService, ""}) || l.Config.Max != 3 {
		t.Errorf("concurrency %+v", l)
	}
	if l := &s.Limits[0]; !l.Matches(&call{method: "GET"}) || l.Matches(&call{method: "POST"}) {
		t.Error("it does not go by its match")
	}
}

// An empty list says that there are none, whatever code said, and an absent one
// says nothing.
func TestNoLimitsAreSaid(t *testing.T) {
	for _, c := range []struct {
		name, spec                      string
		limits, concurrency             bool // whether anything is said
		limitsOfServers, inFlightOfThem bool
	}{
		{"Nothing", `"server":{}`, false, false, false, false},
		{"Limits", `"limits":[],"server":{}`, true, false, false, false},
		{"Concurrency", `"concurrency":[],"server":{}`, false, true, false, false},
		{"LimitsOfServers", `"server":{"limits":[]}`, false, false, true, false},
		{"ConcurrencyOfServers", `"server":{"concurrency":[]}`, false, false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := decodes(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			sameAgain(t, p)
			table := compile(t, p)
			if got := table.Limits != nil; got != c.limits {
				t.Errorf("limits are said: %t", got)
			}
			if got := table.Concurrency != nil; got != c.concurrency {
				t.Errorf("concurrency is said: %t", got)
			}
			if got := table.Server.Limits != nil; got != c.limitsOfServers {
				t.Errorf("limits of servers are said: %t", got)
			}
			if got := table.Server.Concurrency != nil; got != c.inFlightOfThem {
				t.Errorf("concurrency of servers is said: %t", got)
			}
		})
	}
}

// What was counted stays while a limit counts the same calls in the same way.
func TestKeeps(t *testing.T) {
	const was = `"limits":[{"name":"a","rate":"5/s","per":"header:x-tenant","match":[{"path":{"regex":"/v[0-9]"}}]}]`
	for _, c := range []struct {
		name, now string
		keeps     bool
	}{
		{"Same", was, true},
		{"Rate", strings.Replace(was, "5/s", "6/m", 1), true},
		{"Wait", strings.Replace(was, `"rate"`, `"burst":3,"maxKeys":9,"wait":"1s","rate"`, 1), true},
		{"CaseOfTheHeader", strings.Replace(was, "x-tenant", "X-Tenant", 1), true},
		{"Header", strings.Replace(was, "x-tenant", "x-user", 1), false},
		{"Per", strings.Replace(was, "header:x-tenant", "caller", 1), false},
		{"Name", strings.Replace(was, `"a"`, `"b"`, 1), false},
		{"Pattern", strings.Replace(was, "[0-9]", "[0-8]", 1), false},
		{"AnotherMatch", strings.Replace(was, `[{"path"`, `[{"method":"GET"},{"path"`, 1), false},
		{"NoMatch", `"limits":[{"name":"a","rate":"5/s","per":"header:x-tenant"}]`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, now := spec(t, was), spec(t, c.now)
			if got := now.Limits[0].Keeps(&before.Limits[0].Counting); got != c.keeps {
				t.Errorf("what was counted stays: %t", got)
			}
		})
	}
	for per, keeps := range map[string]bool{"service": true, "class": false} {
		before, now := spec(t, `"concurrency":[{"name":"a","max":5}]`), spec(t, `"concurrency":[{"name":"a","per":"`+per+`","adaptive":{}}]`)
		if got := now.Concurrency[0].Keeps(&before.Concurrency[0].Counting); got != keeps {
			t.Errorf("who is in flight stays in a limit per %s that is learned from now on: %t", per, got)
		}
	}
}

// Matching costs no memory.
func TestMatchingALimitAllocatesNothing(t *testing.T) {
	table := spec(t, `"limits":[{"name":"a","rate":"5/s","match":[{"method":"PUT"},{"path":{"prefix":"/v1"},"headers":{"x-a":{"exact":"b"}}}]}]`)
	var r rule.Request = &call{method: "GET", path: "/v1/orders", header: map[string]string{"x-a": "b"}}
	if n := testing.AllocsPerRun(100, func() {
		if !table.Limits[0].Matches(r) {
			t.Error("it does not match")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]rule.Rate{
		"200/s": {200, time.Second}, "10/m": {10, time.Minute}, "3000/h": {3000, time.Hour}, "0.5/s": {0.5, time.Second},
		"0/s": {0, time.Second}, "0.000001/h": {0.000001, time.Hour}, "3600000000000/h": {3.6e12, time.Hour},
		"1234567890.123456/m": {1234567890.123456, time.Minute},
	} {
		var r rule.Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want || r.String() != text {
			t.Errorf("%s is read as %v within %v, written as %s, %v", text, r.Calls, r.Within, r, err)
		}
	}
	for text, want := range map[string]string{"007/s": "7/s", "1.50/m": "1.5/m", "2.0/h": "2/h"} {
		var r rule.Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r.String() != want {
			t.Errorf("%s is written as %s, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "/s", "5", "5/", "5/d", "5/ms", "5/s/s", "5 /s", "5/ s", "-5/s", "+5/s", "5./s", ".5/s", "1e3/s", "0x5/s", "1_000/s", "Inf/s", "NaN/s", "0.0000001/s", "10000000000000/s", "٣/s"} {
		if err := new(rule.Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as a rate", text)
		}
	}
}

// Code may say numbers that no text can.
func TestNumbersOfCode(t *testing.T) {
	for _, c := range []struct {
		name string
		say  func(*rule.Spec)
		want string
	}{
		{"NaN", func(s *rule.Spec) { s.Limits[0].Rate.Calls = math.NaN() }, "spec.limits[0].rate is"},
		{"Infinite", func(s *rule.Spec) { s.Limits[0].Rate.Calls = math.Inf(1) }, "spec.limits[0].rate is"},
		{"Negative", func(s *rule.Spec) { s.Limits[0].Rate.Calls = -1 }, `spec.limits[0].rate is "-1/s": allowed is above 0`},
		{"TooManyDecimals", func(s *rule.Spec) { s.Limits[0].Rate.Calls = 1e-7 }, `spec.limits[0].rate is "0.0000001/s": allowed is above 0`},
		{"NoUnit", func(s *rule.Spec) { s.Limits[0].Rate.Within = 2 * time.Second }, `spec.limits[0].rate is "5 within 2s": allowed is above 0`},
		{"K", func(s *rule.Spec) { s.Throttle.K = math.NaN() }, "spec.throttle.k is NaN: allowed is above 1 to 100"},
		{"MaxReject", func(s *rule.Spec) { s.Throttle.MaxReject = -1 }, "spec.throttle.maxReject is -0.01%: allowed is 0.01% to 99.99%"},
		{"NoGateway", func(s *rule.Spec) { s.Gateway.Service = "" }, `spec.gateway.service is "": allowed is the name of a service`},
		{"Share", func(s *rule.Spec) { s.Gateway.Share = -1 }, "spec.gateway.share is -0.01%: allowed is 0.01% to 100%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := policy()
			p.Spec.Limits = []rule.RateLimit{{Name: "a", Rate: rule.Rate{Calls: 5, Within: time.Second}}}
			p.Spec.Throttle, p.Spec.Gateway = new(rule.Throttle), &rule.Gateway{Service: "edge"}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			c.say(&p.Spec)
			if err := p.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// The bounds of what is learned are judged as package ratelimit judges them.
func TestAdaptiveBounds(t *testing.T) {
	values := []int{-1, 0, 1, 3, 4, 5, 19, 20, 21, 999, 1000, 1001, 2000, ratelimit.MostInFlight, ratelimit.MostInFlight + 1}
	for _, least := range values {
		for _, most := range values {
			for _, initial := range values {
				p := policy()
				p.Spec.Concurrency = []rule.Concurrency{{Name: "a", Adaptive: &rule.Adaptive{Min: least, Max: most, Initial: initial}}}
				want := ratelimit.AdaptiveConfig{Min: least, Max: most, Initial: initial}.Validate()
				if got := p.Validate(); (got == nil) != (want == nil) {
					t.Errorf("min %d, max %d, initial %d: %v, while package ratelimit says %v", least, most, initial, got, want)
				}
			}
		}
	}
}
