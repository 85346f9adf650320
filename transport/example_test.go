package transport_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// A mesh over a list that never changes. With etcd, it is transport.Open and an
// etcd.Config.
func ExampleNew() {
	registry, err := discovery.NewStatic(discovery.Addrs("orders", "10.0.0.7:8080", "10.0.0.8:8080")...)
	if err != nil {
		panic(err)
	}
	mesh, err := transport.New(registry)
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())

	views, err := mesh.Views(context.Background(), "orders")
	if err != nil {
		panic(err)
	}
	for view := range views {
		for _, node := range view.Nodes {
			fmt.Println(node.Endpoint(discovery.HTTP))
		}
		break // or follow the changes
	}
	// Output:
	// 10.0.0.7:8080
	// 10.0.0.8:8080
}

// A registry that the mesh opens is closed with it.
func ExampleOpen() {
	var config transport.Opener = inMemory{} // such as etcd.Config
	mesh, err := transport.Open(config, transport.WithTelemetry(transport.Full))
	if err != nil {
		panic(err)
	}
	fmt.Println(mesh.Close(context.Background()))
	// Output: <nil>
}

type inMemory struct{}

func (inMemory) Open() (discovery.Registry, error) { return new(discovery.Memory), nil }

// A process that starts while its registry is down calls whom the last process
// knew.
func ExampleWithSnapshotDir() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(parent)
	snapshots := transport.WithSnapshotDir(filepath.Join(parent, "snapshots"))
	call := func(mesh *transport.Mesh, fleet *fairleadtest.Fleet) error {
		return mesh.Do(context.Background(), &transport.Call{Service: "orders", Protocol: discovery.HTTP}, fleet.Door(mesh))
	}

	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
	mesh, err := transport.New(fleet, snapshots)
	if err != nil {
		panic(err)
	}
	fmt.Println(call(mesh, fleet))
	mesh.Close(context.Background()) // saves what is not saved yet

	fleet = fairleadtest.NewFleet()
	fleet.Fail(errors.New("etcd is down"))
	fleet.Add(fairleadtest.Instances("orders", "a", "b")...)
	mesh, err = transport.New(fleet, snapshots, transport.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	fmt.Println(call(mesh, fleet))
	s := mesh.Dump().Services[0]
	fmt.Println(len(s.Instances), s.State, s.Snapshot.Loaded)
	// Output:
	// <nil>
	// <nil>
	// 2 stale true
}

// What is said of a call in its context holds for both doors.
func ExampleWithCall() {
	ctx := transport.WithCall(context.Background(),
		transport.Key("user 7"),
		transport.Idempotent(true)) // this POST may be executed twice

	// A door fills in what it knows, then asks the context.
	call := transport.Call{Service: "orders", Method: "POST", Protocol: discovery.HTTP}
	call.Apply(ctx)
	fmt.Println(call.Key, call.Idempotent)
	// Output: user 7 true
}

// A call to a service that is scaled to zero waits for its first instance, if
// it is told to and as long as it has time.
func ExampleWaitForReady() {
	fleet := fairleadtest.NewFleet() // nobody
	mesh, err := transport.New(fleet)
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = transport.WithCall(ctx, transport.WaitForReady(true))
	time.AfterFunc(time.Millisecond, func() { // somebody scales it up
		fleet.Add(fairleadtest.Instances("orders", "a")...)
	})

	call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
	call.Apply(ctx)
	err = mesh.Do(ctx, call, fleet.Door(mesh))
	fmt.Println(call.Instance(), err)
	// Output: a <nil>
}

// All that a mesh knows is one value for people and tools.
func ExampleMesh_Dump() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
	mesh, err := transport.New(fleet)
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
	if err := mesh.Do(context.Background(), call, fleet.Door(mesh)); err != nil {
		panic(err)
	}
	fleet.Fail(fmt.Errorf("etcd is down"))
	views, err := mesh.Views(context.Background(), "orders")
	if err != nil {
		panic(err)
	}
	for view := range views {
		if view.Snapshot.State == discovery.Stale { // it has been heard
			break
		}
	}

	for _, s := range mesh.Dump().Services {
		fmt.Printf("%s: %d instances, %s (%s)\n", s.Service, len(s.Instances), s.State, s.Trouble)
		fmt.Printf("%d attempts went well, %d retries can be afforded\n", s.Attempts["success"], s.BudgetRemaining)
	}
	// Output:
	// orders: 2 instances, stale (etcd is down)
	// 1 attempts went well, 100 retries can be afforded
}

// Rules may come from code, from files, or from a registry that has some. The
// next call goes by what they say by then.
func ExampleWithRules() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
	rules, err := rule.Static(rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Subsets: []rule.Subset{{Name: "canary", Labels: map[string]string{"id": "b"}}},
		Routes:  []rule.Route{{Route: []rule.Destination{{Subset: "canary", Weight: 100}}}},
	}})
	if err != nil {
		panic(err)
	}
	mesh, err := transport.New(fleet, transport.WithRules(rules))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())

	call := func() string {
		call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
		if err := mesh.Do(context.Background(), call, fleet.Door(mesh)); err != nil {
			panic(err)
		}
		return call.Instance()
	}
	call() // the first one begins to follow instances and rules, and waits for no rule
	for mesh.Dump().Services[0].Rules.Revision == 0 {
		runtime.Gosched()
	}
	fmt.Println(call(), call(), call())
	// Output: b b b
}

// Who calls can matter to the rules of a service. The name is that of the first
// service that the process registers, unless code says another.
func ExampleWithCaller() {
	mesh, err := transport.New(fairleadtest.NewFleet(), transport.WithCaller("checkout"))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	fmt.Println(mesh.Caller())
	// Output: checkout
}

// One instance is asked for by its ID, to see what is wrong with it.
func ExampleInstance() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b", "c")...)
	call := func(options ...transport.Option) {
		mesh, err := transport.New(fleet, options...)
		if err != nil {
			panic(err)
		}
		defer mesh.Close(context.Background())
		ctx := transport.WithCall(context.Background(), transport.Instance("b"))
		call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
		call.Apply(ctx)
		err = mesh.Do(ctx, call, fleet.Door(mesh))
		fmt.Println(call.Instance(), errors.Is(err, transport.ErrPinning))
	}
	call(transport.WithPinning())
	call() // not everywhere is it for callers to say where they go
	// Output:
	// b false
	//  true
}

// What goes wrong says where, on whom, and whether it may have been executed.
func ExampleError() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	fleet.Play("a", fairleadtest.Reset())
	mesh, err := transport.New(fleet)
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())

	call := &transport.Call{Service: "orders", Method: "POST", Protocol: discovery.HTTP}
	err = mesh.Do(context.Background(), call, fleet.Door(mesh))
	fmt.Println(strings.TrimSuffix(err.Error(), " read tcp: connection reset by peer"))
	// Output: fairlead: orders POST: send, instance a, maybe executed:
}

// Instances are probed beside the calls they get.
func ExampleWithHealthCheck() {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
	prober := balancer.ProberFunc(func(_ context.Context, n *balancer.Node) error { // such as fairhttp.Prober{Path: "/healthz"}
		if n.ID() == "b" {
			return errors.New("disk full")
		}
		return nil
	})
	mesh, err := transport.New(fleet, transport.WithLogger(slog.New(slog.DiscardHandler)),
		transport.WithHealthCheck(balancer.HealthCheck{Interval: 100 * time.Millisecond}, prober))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())

	call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
	if err := mesh.Do(context.Background(), call, fleet.Door(mesh)); err != nil { // the first one begins it
		panic(err)
	}
	for range time.Tick(time.Millisecond) {
		if mesh.Dump().Services[0].Health.Unwell > 0 {
			break
		}
	}
	for _, i := range mesh.Dump().Services[0].Instances {
		fmt.Println(i.ID, i.Unwell)
	}
	// Output:
	// a false
	// b true
}

// Code says where the process is, and a document what follows from it. Calls stay
// in the zone as long as its instances can take them.
func ExampleWithLocality() {
	policy := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "orders"}}
	policy.Spec.LoadBalancer.LocalityPreference = "zone"
	source, err := rule.Static(policy)
	if err != nil {
		panic(err)
	}
	instances := fairleadtest.Instances("orders", "a", "b", "c")
	instances[0].Zone, instances[1].Zone, instances[2].Zone = "eu-1", "eu-1", "eu-2"
	fleet := fairleadtest.NewFleet(instances...)
	mesh, err := transport.New(fleet, transport.WithRules(source), transport.WithLocality("eu", "eu-1"),
		transport.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		panic(err)
	}
	defer mesh.Close(context.Background())
	call := &transport.Call{Service: "orders", Protocol: discovery.HTTP}
	if err := mesh.Do(context.Background(), call, fleet.Door(mesh)); err != nil {
		panic(err)
	}
	for _, part := range mesh.Dump().Services[0].Choices[""].Parts {
		fmt.Println(part.Distance, part.Instances)
	}
	// Output:
	// zone 2
	// elsewhere 1
}
