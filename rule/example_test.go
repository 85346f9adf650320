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
