package transport_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// quiet is for examples whose warnings nobody reads.
var quiet = transport.WithLogger(slog.New(slog.DiscardHandler))

// A call without an answer goes to another instance, too, and the first success
// counts.
func ExampleWithHedge() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
	fleet.Play("a", fairleadtest.Hung())
	var picks fairleadtest.Picks
	mesh, err := transport.New(fleet, transport.WithPolicy(&picks),
		transport.WithHedge(retry.HedgeConfig{Delay: 10 * time.Millisecond, MaxExtra: 1}))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	resp, err := client.Get("mesh://orders/42")
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, fleet.Called(), mesh.Dump().Services[0].HedgesWon)
	// Output: 200 [a b] 1
}

// Where a whole service fails, callers hear of it at once, and it is left alone.
func ExampleWithBreaker() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	fleet.Play("a", fairleadtest.Status(500))
	mesh, err := transport.New(fleet, quiet, transport.WithBreaker(rule.PerService, breaker.Config{ConsecutiveFailures: 5}))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	for range 10 {
		resp, err := client.Get("mesh://orders/42")
		if errors.Is(err, breaker.ErrOpen) {
			fmt.Println("rejected after", len(fleet.Called()), "calls")
			return
		}
		resp.Body.Close()
	}
	// Output: rejected after 5 calls
}

// This service answers 200 and says in a header that it failed. For retries, breakers
// and metrics that is a failure.
func ExampleWithJudge() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	fleet.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Error", "E42") }))
	mesh, err := transport.New(fleet, transport.WithJudge(func(a transport.Answer, class transport.Class) transport.Class {
		if a.Header("X-Error") != "" {
			return transport.Failure
		}
		return class
	}))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	resp, err := client.Get("mesh://orders/42")
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, mesh.Dump().Services[0].Attempts["failure"])
	// Output: 200 1
}

func ExampleWithObserver() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	fleet.Play("a", fairleadtest.Status(500))
	events := make(chan transport.Event, 10)
	mesh, err := transport.New(fleet, quiet, transport.WithBreaker(rule.PerInstance, breaker.Config{ConsecutiveFailures: 1}),
		transport.WithObserver(func(e transport.Event) { events <- e }))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
	if err := mesh.Do(context.Background(), call, fleet.Door(mesh)); err != nil {
		panic(err)
	}
	e := <-events
	fmt.Println(e.Kind, e.Service, e.Instance, e.Text)
	// Output: breaker orders a open: consecutive-failures
}

// One call is not tried again, whatever the mesh and the rules say.
func ExampleTolerate() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
	fleet.Play("a", fairleadtest.Refused())
	fleet.Play("b", fairleadtest.Refused())
	mesh, err := transport.New(fleet, quiet)
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	ctx := transport.WithCall(context.Background(), transport.Tolerate(rule.Failfast))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://orders/42", nil)
	if err != nil {
		panic(err)
	}
	_, err = client.Do(req)
	fmt.Println(err != nil, len(fleet.Called()))
	// Output: true 1
}

// Every cache has to hear of a change.
func ExampleWithFaultTolerance() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("cache", "a", "b", "c")...)
	mesh, err := transport.New(fleet, transport.WithFaultTolerance(rule.Broadcast))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	resp, err := client.Post("mesh://cache/forget/42", "", nil)
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, fleet.Called())
	// Output: 200 [a b c]
}

// Two meshes of a process together retry no more than one would.
func ExampleWithSharedBudget() {
	budget, err := retry.NewBudget(retry.BudgetConfig{MinPerSecond: 1})
	if err != nil {
		panic(err)
	}
	retries := 0
	for range 2 {
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
		fleet.Play("a", fairleadtest.Refused())
		mesh, err := transport.New(fleet, quiet, transport.WithSharedBudget(budget))
		if err != nil {
			panic(err)
		}
		defer mesh.Close(context.Background())
		for range 10 {
			call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
			_ = mesh.Do(context.Background(), call, fleet.Door(mesh)) // fails
			retries += call.Attempts() - 1
		}
	}
	fmt.Println(retries <= 20) // the reserve of ten seconds, and a fifth of the calls
	// Output: true
}

// The rules of orders redirect its calls when it fails, to a service that code has
// allowed.
func ExampleWithFallbackServices() {
	fleet := fairleadtest.NewFleet(append(fairleadtest.Instances("orders", "a"), fairleadtest.Instances("archive", "z")...)...)
	fleet.Play("a", fairleadtest.Refused())
	rules, err := rule.Static(rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders", OnFailure: &rule.OnFailure{Service: "archive"},
	}})
	if err != nil {
		panic(err)
	}
	mesh, err := transport.New(fleet, quiet, transport.WithRules(rules), transport.WithFallbackServices("archive"))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	for range 1000 { // the first calls may be faster than the rules
		resp, err := client.Get("mesh://orders/42")
		if err == nil {
			resp.Body.Close()
			fmt.Println(resp.StatusCode, fleet.Attempts()[len(fleet.Attempts())-1].Service)
			return
		}
		time.Sleep(time.Millisecond)
	}
	// Output: 200 archive
}
