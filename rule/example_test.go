package rule_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// All that is wrong with a document is said at once.
func ExampleDecode() {
	_, err := rule.Decode([]byte(`{
  "apiVersion": "fairlead/v1alpha1",
  "kind": "ServicePolicy",
  "spec": {
    "service": "orders",
    "timeout": "1ns",
    "routes": [{"route": [{"subset": "canary", "weight": 5}]}]
  }
}`))
	fmt.Println(err)
	// Output:
	// rule: line 6, column 16: spec.timeout is 1ns: allowed is 1ms to 1h0m0s
	// line 7, column 26: spec.routes[0].route is of weights that add up to 5: allowed is 100
	// line 7, column 38: spec.routes[0].route[0].subset is "canary": allowed is the name of one of the subsets
}

// One user in twenty is sent to the canary, and always the same.
func ExampleCompile() {
	table, err := rule.Compile(rule.Policy{
		APIVersion: rule.APIVersion, Kind: rule.Kind,
		Spec: rule.Spec{
			Service: "orders",
			Subsets: []rule.Subset{
				{Name: "stable", Labels: map[string]string{"version": "v1"}},
				{Name: "canary", Labels: map[string]string{"version": "v2"}},
			},
			Routes: []rule.Route{{
				Route:  []rule.Destination{{Subset: "stable", Weight: 95}, {Subset: "canary", Weight: 5}},
				HashOn: "header:x-user",
			}},
		},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	instances := []*discovery.Instance{{ID: "orders-1", Version: "v1"}, {ID: "orders-2", Version: "v2"}}
	for _, user := range []string{"ada", "grace", "james"} {
		d := table.Decide(&call{header: map[string]string{"x-user": user}}, rand.Uint64())
		for _, i := range rule.Narrow(table, d.Narrowing, instances, itself) {
			fmt.Println(user, "to", i.ID)
		}
	}
	// Output:
	// ada to orders-1
	// grace to orders-1
	// james to orders-2
}

// What holds for a route is what it says, and what the service says beside.
func ExampleTable_Decide() {
	policy, err := rule.Decode([]byte(`{
  "apiVersion": "fairlead/v1alpha1",
  "kind": "ServicePolicy",
  "spec": {
    "service": "orders",
    "idempotent": true,
    "retries": {"maxAttempts": 3, "perTryTimeout": "300ms"},
    "hedge": {"percentile": "95%"},
    "routes": [{"name": "write", "match": [{"method": "POST"}], "idempotent": false, "retries": {"maxAttempts": 2}}]
  }
}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := rule.Compile(policy, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, method := range []string{"GET", "POST"} {
		route := table.Decide(&call{method: method}, rand.Uint64()).Route
		fmt.Println(method, route.Retry.MaxAttempts, route.Retry.AttemptTimeout, "hedged:", !route.Hedge.Off)
	}
	// Output:
	// GET 3 300ms hedged: true
	// POST 2 300ms hedged: false
}

// The first outcome that lists a code says how answers with it are judged.
func ExampleOutcomes_HTTP() {
	table, err := rule.Compile(rule.Policy{
		APIVersion: rule.APIVersion, Kind: rule.Kind,
		Spec: rule.Spec{Service: "orders", Outcomes: []rule.Outcome{
			{Codes: []string{"503", "UNAVAILABLE"}, As: "overload"},
			{Codes: []string{"500-599"}, As: "failure"},
		}},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, status := range []int{404, 500, 503} {
		verdict, said := table.Outcomes.HTTP(status)
		fmt.Println(status, said, verdict == rule.Failure, verdict == rule.Overload)
	}
	// Output:
	// 404 false false false
	// 500 true true false
	// 503 true false true
}

// A call counts in all limits that it matches.
func ExampleCounting_Matches() {
	policy, err := rule.Decode([]byte(`{
  "apiVersion": "fairlead/v1alpha1",
  "kind": "ServicePolicy",
  "spec": {
    "service": "orders",
    "limits": [
      {"name": "all", "rate": "5000/s", "scope": "shared"},
      {"name": "reports", "match": [{"caller": {"exact": "reports"}}], "rate": "600/m", "wait": "50ms"}
    ]
  }
}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := rule.Compile(policy, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, caller := range []string{"web", "reports"} {
		for n := range table.Limits {
			if l := &table.Limits[n]; l.Matches(&call{caller: caller}) {
				fmt.Println(caller, "counts in", l.Name, "of", l.Config.Rate, "per second and", l.Per)
			}
		}
	}
	// Output:
	// web counts in all of 5000 per second and service
	// reports counts in all of 5000 per second and service
	// reports counts in reports of 10 per second and service
}

func ExampleRate() {
	var r rule.Rate
	if err := r.UnmarshalText([]byte("90/m")); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r, "is", r.PerSecond(), "per second")
	// Output: 90/m is 1.5 per second
}
