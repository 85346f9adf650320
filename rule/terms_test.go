package rule_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
)

const top = `{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":{"service":"orders",`

// decodes reads a document whose spec is this, beside the service.
func decodes(spec string) (rule.Policy, error) { return rule.Decode([]byte(top + spec + `}}`)) }

func spec(t testing.TB, text string) *rule.Table {
	t.Helper()
	p, err := decodes(text)
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, p)
}

// What cannot hold together is an error at the place that says it, and only
// there.
func TestWhatDoesNotGoTogether(t *testing.T) {
	for _, c := range []struct{ name, spec, want string }{
		{"AttemptAsLongAsTheCall", `"timeout":"1s","retries":{"perTryTimeout":"1s"}`, ""},
		{"AttemptLongerThanTheCall", `"timeout":"1s","retries":{"perTryTimeout":"1001ms"}`, "spec.retries.perTryTimeout is 1.001s: allowed is no more than the timeout of the call, which is 1s"},
		{"AttemptOfACallWithoutTimeout", `"retries":{"perTryTimeout":"1h"}`, ""},
		{"AttemptOfARoute", `"timeout":"1s","routes":[{"retries":{"perTryTimeout":"2s"}}]`, "spec.routes[0].retries.perTryTimeout is 2s: allowed is no more than the timeout of the call, which is 1s"},
		{"AttemptOfARouteWithItsOwnTimeout", `"timeout":"1s","routes":[{"timeout":"3s","retries":{"perTryTimeout":"2s"}}]`, ""},
		{"TimeoutOfARoute", `"timeout":"5s","retries":{"perTryTimeout":"1s"},"routes":[{"timeout":"999ms"}]`, "spec.routes[0].timeout is 999ms: allowed is no less than the perTryTimeout, which is 1s"},
		{"TimeoutOfARouteWithItsOwnAttempt", `"timeout":"5s","retries":{"perTryTimeout":"1s"},"routes":[{"timeout":"999ms","retries":{"perTryTimeout":"500ms"}}]`, ""},
		{"RouteThatSaysNeither", `"timeout":"1s","retries":{"perTryTimeout":"2s"},"routes":[{"hedge":{"off":true}}]`, "spec.retries.perTryTimeout is 2s: allowed is no more than the timeout of the call, which is 1s"},

		{"HedgeOfWhatIsIdempotent", `"idempotent":true,"hedge":{}`, ""},
		{"HedgeOfWhatIsNot", `"idempotent":false,"hedge":{}`, "spec.hedge: allowed only beside idempotent: true"},
		{"HedgeOfWhatNobodyKnows", `"hedge":{}`, "spec.hedge: allowed only beside idempotent: true"},
		{"HedgeOfWhatNobodyKnowsThatIsOff", `"hedge":{"off":true}`, ""},
		{"HedgeOfAnIdempotentRoute", `"routes":[{"idempotent":true,"hedge":{}}]`, ""},
		{"HedgeOfARouteOfAnIdempotentService", `"idempotent":true,"routes":[{"hedge":{}}]`, ""},
		{"HedgeOfARouteThatIsNot", `"idempotent":true,"routes":[{"idempotent":false,"hedge":{}}]`, "spec.routes[0].hedge: allowed only beside idempotent: true"},
		{"HedgeOfTheServiceOfAnIdempotentRoute", `"hedge":{},"routes":[{"idempotent":true}]`, "spec.hedge: allowed only beside idempotent: true"},
		{"RouteThatIsNotOfAHedgedService", `"idempotent":true,"hedge":{},"routes":[{"idempotent":false}]`, ""},
		{"PercentileAndDelay", `"idempotent":true,"hedge":{"percentile":"95%","delay":"20ms"}`, "spec.hedge.delay is 20ms: not allowed beside a percentile"},

		{"BroadcastOfHedges", `"idempotent":true,"hedge":{},"faultTolerance":"broadcast"`, `spec.faultTolerance is "broadcast": not allowed where calls are hedged`},
		{"BroadcastOfARouteOfAHedgedService", `"idempotent":true,"hedge":{},"routes":[{"faultTolerance":"broadcast"}]`, `spec.routes[0].faultTolerance is "broadcast": not allowed where calls are hedged`},
		{"HedgeOfARouteOfABroadcastingService", `"idempotent":true,"faultTolerance":"broadcast","routes":[{"hedge":{}}]`, "spec.routes[0].hedge: not allowed beside faultTolerance broadcast"},
		{"BroadcastOfAHedgeThatIsOff", `"idempotent":true,"hedge":{},"routes":[{"faultTolerance":"broadcast","hedge":{"off":true}}]`, ""},
		{"FailfastWithRetries", `"faultTolerance":"failfast","retries":{"maxAttempts":2}`, "spec.retries.maxAttempts is 2: allowed is 1 beside faultTolerance failfast"},
		{"FailfastWithoutRetries", `"faultTolerance":"failfast","retries":{"maxAttempts":1}`, ""},
		{"FailfastOfARouteOfAServiceWithRetries", `"retries":{"maxAttempts":2},"routes":[{"faultTolerance":"failfast"}]`, ""},
		{"RetriesOfARouteOfAFailfastService", `"faultTolerance":"failfast","routes":[{"retries":{"maxAttempts":2}}]`, ""},
		{"FailfastOfARouteWithRetries", `"routes":[{"faultTolerance":"failfast","retries":{"maxAttempts":5}}]`, "spec.routes[0].retries.maxAttempts is 5: allowed is 1 beside faultTolerance failfast"},

		{"SlowRateWithoutDuration", `"circuitBreaker":{"slowCallRate":"50%"}`, "spec.circuitBreaker.slowCallRate is 50%: allowed only beside a slowCallDuration"},
		{"NegativeRate", `"circuitBreaker":{"failureRate":"-1%"}`, `spec.circuitBreaker.failureRate is "-1%": allowed is a percentage`},
		{"ValueAndService", `"onFailure":{"service":"spare","value":"{}"}`, "spec.onFailure: exactly one of service and value is needed"},
		{"ValueThatIsNoJSON", `"onFailure":{"value":"sorry"}`, `spec.onFailure.value is "sorry": allowed is a text in JSON`},
		{"ItselfOnFailure", `"onFailure":{"service":"orders"}`, `spec.onFailure.service is "orders": allowed is the name of another service`},
		{"StatusOfAService", `"onFailure":{"service":"spare","httpStatus":200}`, "spec.onFailure.httpStatus is 200: allowed only beside a value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decodes(c.spec)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if problems, ok := err.(rule.Problems); !ok || len(problems) != 1 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want only %s", err, c.want)
			}
		})
	}
}

// A route's word comes before the service's, field by field; what a route does not
// say is as the service says.
func TestRouteComesBeforeService(t *testing.T) {
	table := spec(t, `"timeout":"2s","idempotent":true,
		"retries":{"maxAttempts":4,"perTryTimeout":"500ms","retryOn":["overload","503","INTERNAL"],"backoff":{"baseInterval":"40ms","maxInterval":"1s"}},
		"hedge":{"percentile":"90%","minDelay":"2ms","maxExtra":"10%"},"faultTolerance":"available","onFailure":{"value":"[]"},"priority":"sheddable",
		"routes":[
			{"name":"silent","match":[{"path":{"exact":"/silent"}}]},
			{"name":"other","match":[{"path":{"exact":"/other"}}],"timeout":"1s","idempotent":true,
				"retries":{"maxAttempts":2,"perTryTimeout":"100ms","retryOn":["connect-failure","reset","timeout","server-failure"],"backoff":{"maxInterval":"60ms"}},
				"hedge":{"delay":"30ms"},"faultTolerance":"failsafe","onFailure":{"service":"spare"},"priority":"critical"},
			{"name":"once","match":[{"path":{"exact":"/once"}}],"idempotent":false,"faultTolerance":"failfast","priority":"default"}]`)
	all := rule.RouteTable{
		Order: -1, Timeout: 2 * time.Second, Idempotent: new(true),
		Retry: rule.RetryTable{
			MaxAttempts: 4, AttemptTimeout: 500 * time.Millisecond, Said: true, On: retry.Overload, Codes: []int{503, 13},
			Backoff: retry.BackoffConfig{BaseInterval: 40 * time.Millisecond, MaxInterval: time.Second},
		},
		Hedge:          &rule.HedgeTable{HedgeConfig: retry.HedgeConfig{Percentile: 0.9, MinDelay: 2 * time.Millisecond, MaxExtra: 0.1}},
		FaultTolerance: rule.Available, ToleranceSaid: true, OnFailure: &rule.OnFailure{Value: "[]"},
		Priority: ratelimit.Sheddable, PrioritySaid: true,
	}
	silent := all
	silent.Name, silent.Order = "silent", 0
	other := rule.RouteTable{
		Name: "other", Order: 1, Timeout: time.Second, Idempotent: new(true),
		Retry: rule.RetryTable{
			MaxAttempts: 2, AttemptTimeout: 100 * time.Millisecond, Said: true, On: retry.ConnectFailure | retry.Reset | retry.TimedOut | retry.ServerFailure,
			Backoff: retry.BackoffConfig{MaxInterval: 60 * time.Millisecond},
		},
		Hedge:          &rule.HedgeTable{HedgeConfig: retry.HedgeConfig{Delay: 30 * time.Millisecond}},
		FaultTolerance: rule.Failsafe, ToleranceSaid: true, OnFailure: &rule.OnFailure{Service: "spare"},
		Priority: ratelimit.Critical, PrioritySaid: true,
	}
	once := all
	once.Name, once.Order, once.Idempotent, once.FaultTolerance = "once", 2, new(false), rule.Failfast
	once.Priority = ratelimit.Default                                            // said, so that it is not the service's
	once.Hedge = &rule.HedgeTable{Off: true, HedgeConfig: all.Hedge.HedgeConfig} // it is not idempotent
	for path, want := range map[string]rule.RouteTable{"/": all, "/silent": silent, "/other": other, "/once": once} {
		got := *table.Decide(&call{path: path}, 0).Route
		if exported(got) != exported(want) {
			t.Errorf("%s:\n%s, want\n%s", path, exported(got), exported(want))
		}
		if got.Plain() {
			t.Errorf("%s is plain", path)
		}
	}
	// What nobody says is the zero value.
	if got := exported(*spec(t, `"timeout":"0s"`).Decide(&call{}, 0).Route); got != exported(rule.RouteTable{Order: -1}) {
		t.Errorf("of a document that says nothing: %s", got)
	}
}

// exported writes the exported fields down, with what pointers point to.
func exported(t rule.RouteTable) string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// A call on a plain route takes the short way: nothing but the attempt loop has to
// know of it.
func TestPlain(t *testing.T) {
	for _, c := range []struct {
		name, route string
		plain       bool
	}{
		{"Nothing", `{}`, true},
		{"Destinations", `{"route":[{"weight":100}],"hashOn":"key"}`, true},
		{"Retries", `{"retries":{"maxAttempts":2,"retryOn":["503"],"backoff":{"baseInterval":"1ms"}}}`, true},
		{"Idempotent", `{"idempotent":true}`, true},
		{"Failover", `{"faultTolerance":"failover"}`, true},
		{"Timeout", `{"timeout":"1s"}`, false},
		{"AttemptTimeout", `{"retries":{"perTryTimeout":"1s"}}`, false},
		{"Hedge", `{"idempotent":true,"hedge":{}}`, false},
		{"HedgeThatIsOff", `{"hedge":{"off":true}}`, false},
		{"Failfast", `{"faultTolerance":"failfast"}`, false},
		{"OnFailure", `{"onFailure":{"value":"{}"}}`, false},
		{"Priority", `{"priority":"default"}`, false},
		{"Mirror", `{"mirror":{"percent":"1%"}}`, false},
		{"Fault", `{"fault":{"abort":{"percent":"1%"}}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := spec(t, `"routes":[`+c.route+`]`)
			if got := table.Route(&call{}).Plain(); got != c.plain {
				t.Errorf("plain %t", got)
			}
		})
	}
}

func TestBreakerTable(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		want       *rule.BreakerTable
	}{
		{"Nothing", `"timeout":"0s"`, nil},
		{"Default", `"circuitBreaker":{}`, &rule.BreakerTable{}},
		{"On", `"circuitBreaker":{"mode":"on","scope":"instance"}`, &rule.BreakerTable{}},
		{"Off", `"circuitBreaker":{"mode":"off"}`, &rule.BreakerTable{Mode: breaker.Disabled}},
		{"Open", `"circuitBreaker":{"mode":"open","scope":"method"}`, &rule.BreakerTable{Mode: breaker.ForcedOpen, Scope: rule.PerMethod}},
		{"Observe", `"circuitBreaker":{"mode":"observe","scope":"service"}`, &rule.BreakerTable{Mode: breaker.ObserveOnly, Scope: rule.PerService}},
		{"All", `"circuitBreaker":{"window":"5s","minRequests":10,"failureRate":"40%","consecutiveFailures":7,"slowCallDuration":"1s","slowCallRate":"80%","openFor":"2s","halfOpenRequests":3,"probeTimeout":"500ms"}`,
			&rule.BreakerTable{Config: breaker.Config{
				Window: 5 * time.Second, MinRequests: 10, FailureRate: 0.4, ConsecutiveFailures: 7, SlowCallDuration: time.Second,
				SlowCallRate: 0.8, OpenFor: 2 * time.Second, HalfOpenRequests: 3, ProbeTimeout: 500 * time.Millisecond,
			}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := spec(t, c.spec).Breaker; !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
