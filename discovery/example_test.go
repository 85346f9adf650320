package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/fairlead-go/fairlead/discovery"
)

func ExampleNewStatic() {
	registry, err := discovery.NewStatic(
		discovery.Instance{Service: "orders", Addr: "10.0.0.8:8080", Weight: 300},
		discovery.Instance{Service: "orders", Addr: "10.0.0.7:8080"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for snapshot, err := range registry.Watch(context.Background(), "orders") {
		fmt.Println(snapshot.Service, snapshot.State, err)
		for _, i := range snapshot.Instances {
			fmt.Println(i.ID, i.Weight)
		}
		break // or stay in the loop, where the list may change
	}
	// Output:
	// orders live <nil>
	// 10.0.0.7:8080 100
	// 10.0.0.8:8080 300
}

func ExampleAddrs() {
	_, err := discovery.NewStatic(discovery.Addrs("orders", "10.0.0.7:8080", "127.1:8080")...)
	fmt.Println(errors.Is(err, discovery.ErrInvalid))
	fmt.Println(err)
	// Output:
	// true
	// instance 1: Instance.Addr "127.1:8080" is invalid: allowed is host:port with a port from 1 to 65535; the host is a literal IP address, neither unspecified nor multicast nor with a zone, or a lower-case DNS name whose last label is not a number
}

func ExampleMemory() {
	ctx := context.Background()
	var registry discovery.Memory
	registration, err := registry.Register(ctx, discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:8080"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for snapshot := range registry.Watch(ctx, "orders") {
		if len(snapshot.Instances) == 0 {
			fmt.Println("nobody")
			break
		}
		i := snapshot.Instances[0]
		fmt.Println(i.ID, "draining:", i.Draining)
		if !i.Draining {
			registration.Drain(ctx)
		} else {
			registration.Close(ctx)
		}
	}
	// Output:
	// a draining: false
	// a draining: true
	// nobody
}

func ExampleMemory_Fail() {
	ctx := context.Background()
	var registry discovery.Memory
	registry.Register(ctx, discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:8080"})
	registry.Fail(errors.New("connection refused"))
	for snapshot, err := range registry.Watch(ctx, "orders") {
		fmt.Println(snapshot.State, len(snapshot.Instances), err)
		if err == nil {
			break
		}
		registry.Heal()
	}
	// Output:
	// stale 1 connection refused
	// live 1 <nil>
}

// Instances of services in Kubernetes, from the SRV records of a headless
// service's port "http".
func ExampleNewDNS() {
	registry, err := discovery.NewDNS(discovery.DNSConfig{Name: "_http._tcp.{service}.prod.svc.cluster.local."})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer registry.Close(ctx)
	for snapshot, err := range registry.Watch(ctx, "orders") {
		if err != nil {
			log.Print(err) // the snapshot is the last good one
		}
		for _, i := range snapshot.Instances {
			fmt.Println(i.Addr, i.Weight)
		}
	}
}

// A list that a person keeps, and a process that registers beside it.
func ExampleNewFile() {
	dir, err := os.MkdirTemp("", "instances")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Mkdir(filepath.Join(dir, "orders"), 0o700)
	os.WriteFile(filepath.Join(dir, "orders", "list.json"), []byte(`[
		{"addr": "127.0.0.1:8081"},
		{"addr": "127.0.0.1:8082", "weight": 200}
	]`), 0o600)

	registry, err := discovery.NewFile(discovery.FileConfig{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer registry.Close(ctx)
	registration, err := registry.Register(ctx, discovery.Instance{ID: "mine", Service: "orders", Addr: "127.0.0.1:8083"})
	if err != nil {
		log.Fatal(err)
	}
	if err := registration.Wait(ctx); err != nil { // until the file is there
		log.Fatal(err)
	}
	for snapshot, err := range registry.Watch(ctx, "orders") {
		fmt.Println(snapshot.State, err)
		for _, i := range snapshot.Instances {
			fmt.Println(i.ID, i.Weight)
		}
		break
	}
	// Output:
	// live <nil>
	// 127.0.0.1:8081 100
	// 127.0.0.1:8082 200
	// mine 100
}

// What one process saves, the next one finds, whatever became of the registry.
func ExampleSnapshotDir() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)
	dir := discovery.SnapshotDir(filepath.Join(parent, "snapshots"))

	if err := dir.Save(discovery.Snapshot{
		Service:   "orders",
		State:     discovery.Live,
		Instances: discovery.List(discovery.Addrs("orders", "10.0.0.7:8080", "10.0.0.8:8080")...),
	}); err != nil {
		fmt.Println(err)
		return
	}
	snapshot, err := dir.Load("orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(snapshot.State, len(snapshot.Instances))

	_, err = dir.Load("users")
	fmt.Println(errors.Is(err, os.ErrNotExist))
	// Output:
	// stale 2
	// true
}

// How many clients a service had, for a process that divides what they share and
// cannot ask.
func ExampleSnapshotDir_SaveClients() {
	parent, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	dir := discovery.SnapshotDir(parent)
	if err := dir.SaveClients(discovery.SavedClients{Service: "orders", Number: 9}); err != nil {
		log.Fatal(err)
	}
	saved, err := dir.LoadClients("orders")
	fmt.Println(saved.Number, err)
	// Output: 9 <nil>
}
