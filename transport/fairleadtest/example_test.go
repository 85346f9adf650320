package fairleadtest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// A program's own client code, over instances that exist in memory only.
func Example() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b", "c")...)
	fleet.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "order %s", r.URL.Path[1:])
	}))
	var picks fairleadtest.Picks
	picks.To("a", "b")
	mesh, err := transport.New(fleet, transport.WithPolicy(&picks))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	fleet.Play("a", fairleadtest.Refused())
	resp, err := client.Get("mesh://orders/42")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body))
	for _, attempt := range fleet.Attempts() {
		fmt.Println(attempt.Instance, attempt.Outcome.Class)
	}
	// Output:
	// 200 order 42
	// a lost
	// b success
}

// The registry fails, the instances do not: calls go on.
func ExampleFleet() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	mesh, err := transport.New(fleet)
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	call := func() error {
		return mesh.Do(context.Background(), &transport.Call{Service: "orders", Protocol: discovery.HTTP}, fleet.Door(mesh))
	}
	fmt.Println(call())
	fleet.Fail(fmt.Errorf("etcd is down"))
	fmt.Println(call())
	// Output:
	// <nil>
	// <nil>
}

// In a bubble of package testing/synctest, an hour passes in no time.
func ExampleHung() {
	var t *testing.T // the test's
	synctest.Test(t, func(t *testing.T) {
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
		fleet.Play("a", fairleadtest.Hung())
		mesh, err := transport.New(fleet)
		if err != nil {
			t.Fatal(err)
		}
		defer mesh.Close(t.Context())
		client := &http.Client{Transport: fairhttp.New(mesh, fleet), Timeout: time.Hour}
		if _, err := client.Get("mesh://orders/"); err == nil {
			t.Error("an answer came out of nowhere")
		}
	})
}

// A test says which rules are in force. In a bubble, synctest.Wait is all it
// takes for the mesh to have heard of them.
func ExampleRulebook() {
	policy := func(subset string) rule.Policy {
		return rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
			Service: "orders",
			Subsets: []rule.Subset{{Name: "a", Labels: map[string]string{"id": "a"}}, {Name: "b", Labels: map[string]string{"id": "b"}}},
			Routes:  []rule.Route{{Route: []rule.Destination{{Subset: subset, Weight: 100}}}},
		}}
	}
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
	var rules fairleadtest.Rulebook
	mesh, err := transport.New(fleet, transport.WithRules(&rules), transport.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	call := func() {
		if err := mesh.Do(context.Background(), &transport.Call{Service: "orders", Protocol: discovery.HTTP}, fleet.Door(mesh)); err != nil {
			panic(err)
		}
	}
	call() // to nobody in particular
	fleet.Forget()
	for _, subset := range []string{"b", "a"} {
		revision := rules.Put(policy(subset))
		for mesh.Dump().Services[0].Rules.Revision != revision {
			runtime.Gosched()
		}
		call()
	}
	fmt.Println(fleet.Called())
	// Output: [b a]
}

func ExamplePicks() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b", "c")...)
	var picks fairleadtest.Picks
	mesh, err := transport.New(fleet, transport.WithPolicy(&picks))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())

	picks.To("c", "a")
	for range 3 {
		call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
		if err := mesh.Do(context.Background(), call, fleet.Door(mesh)); err != nil {
			panic(err)
		}
	}
	fmt.Println(fleet.Called())
	// Output: [c a a]
}
