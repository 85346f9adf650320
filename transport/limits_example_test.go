package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// A third call within the second is not sent.
func ExampleWithRateLimit() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	mesh, err := transport.New(fleet, quiet, transport.WithRateLimit(ratelimit.RateConfig{Rate: 0.001, Burst: 2}))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	for range 3 {
		resp, err := client.Get("mesh://orders/42")
		if e, ok := errors.AsType[*transport.Error](err); ok {
			fmt.Println(e.Stage, errors.Is(err, ratelimit.ErrRate))
			continue
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode)
	}
	// Output:
	// 200
	// 200
	// limit true
}

// A call keeps its place until its answer has been read or closed.
func ExampleWithConcurrency() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	mesh, err := transport.New(fleet, quiet, transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: 1}))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())

	inFlight := func(ctx context.Context, call *transport.Call) transport.Outcome {
		err := mesh.Do(ctx, &transport.Call{Service: "orders"}, fleet.Door(mesh)) // meanwhile
		fmt.Println("another:", errors.Is(err, ratelimit.ErrConcurrency))
		return fleet.Door(mesh).Try(ctx, call)
	}
	call := &transport.Call{Service: "orders"}
	fmt.Println("the first:", mesh.Do(context.Background(), call, tryFunc(inFlight)))
	call.Release()
	fmt.Println("the next:", mesh.Do(context.Background(), &transport.Call{Service: "orders"}, fleet.Door(mesh)))
	// Output:
	// another: true
	// the first: <nil>
	// the next: <nil>
}

// A service that refuses all gets few calls.
func ExampleWithThrottle() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	fleet.Play("a", fairleadtest.Status(503))
	mesh, err := transport.New(fleet, quiet, transport.WithThrottle(ratelimit.ThrottleConfig{}))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	withheld := false
	for n := 0; n < 1_000_000 && !withheld; n++ {
		resp, err := client.Get("mesh://orders/42")
		if withheld = errors.Is(err, ratelimit.ErrThrottled); err == nil {
			resp.Body.Close()
		}
	}
	fmt.Println(withheld)
	// Output: true
}

// Whoever knows that something can wait says so, and it is refused first.
func ExamplePriority() {
	ctx := transport.WithCall(context.Background(), transport.Priority(ratelimit.Sheddable))
	var call transport.Call
	call.Apply(ctx)
	fmt.Println(call.Priority)
	// Output: sheddable
}

// What a server's handler calls is as important as the call that it works on, if code
// says nothing else. Doors say this by themselves.
func ExampleOnBehalfOf() {
	ctx := transport.WithCall(context.Background(), transport.OnBehalfOf(ratelimit.Sheddable))
	var call, important transport.Call
	call.Apply(ctx)
	important.Apply(transport.WithCall(ctx, transport.Priority(ratelimit.Critical)))
	fmt.Println(call.Priority, important.Priority)
	// Output: sheddable critical
}

// An operator sends the calls of orders through a gateway that code allows.
func ExampleWithGateway() {
	fleet := fairleadtest.NewFleet(append(fairleadtest.Instances("orders", "a"), fairleadtest.Instances("edge", "gateway")...)...)
	rules := new(fairleadtest.Rulebook)
	rules.Put(rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "orders", Gateway: &rule.Gateway{Service: "edge"}}})
	mesh, err := transport.New(fleet, quiet, transport.WithRules(rules), transport.WithGateway("edge"))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, fleet)}

	for last := ""; last != "gateway"; { // a tenth of the calls at first
		resp, err := client.Get("mesh://orders/42")
		if err != nil {
			panic(err)
		}
		resp.Body.Close()
		last = fleet.Called()[len(fleet.Called())-1]
	}
	for _, s := range mesh.Dump().Services {
		if s.Service == "orders" {
			fmt.Println(s.Gateway.Service, s.Gateway.Moved > 0)
		}
	}
	// Output: edge true
}

// An application that sees that calls are refused leaves out what is optional.
func ExampleMesh_Pressure() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	mesh, err := transport.New(fleet, quiet, transport.WithRateLimit(ratelimit.RateConfig{Rate: 0.001, Burst: 1}))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())

	for range 3 {
		_ = mesh.Do(context.Background(), &transport.Call{Service: "orders"}, fleet.Door(mesh))
	}
	fmt.Println(mesh.Pressure("orders").Level)
	// Output: 1
}

// A server takes on one call at a time, and refuses what comes meanwhile. Doors ask
// for each call, see fairhttp.Admit and fairgrpc.Admit.
func ExampleMesh_Admission() {
	mesh, err := transport.New(fairleadtest.NewFleet(), quiet)
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	admission, err := mesh.Admission("orders", transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 1}})
	if err != nil {
		panic(err)
	}

	first, err := admission.Admit(context.Background(), transport.Arrival{Method: "GET"})
	fmt.Println(err)
	_, err = admission.Admit(context.Background(), transport.Arrival{Method: "GET"})
	fmt.Println(err)
	first.Done(transport.Success)
	_, err = admission.Admit(context.Background(), transport.Arrival{Method: "GET"})
	fmt.Println(err)
	// Output:
	// <nil>
	// limit "code": concurrency limit reached
	// <nil>
}
