package main

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// membersRole is a worker that stands for many processes, each with a lease and
// one registration of its own.
const membersRole = "members"

type leasesTask struct {
	Variant   string
	Endpoints []string
	Prefix    string
	Leases    int
}

// serveLeases is ready when all are registered. What begins here ends with
// the process.
func serveLeases(t leasesTask) (worker.Answers, error) {
	register := map[string]func(context.Context, leasesTask, int) error{bare: leaseBare, fairlead: leaseRegistry}[t.Variant]
	if register == nil {
		return nil, fmt.Errorf("there is no variant %q", t.Variant)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var took []float64
	for n := range t.Leases {
		began := time.Now()
		if err := register(ctx, t, n); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	return worker.Answers{"took": worker.To(func(q float64) (any, error) { return quantile(took, q), nil })}, nil
}

func leaseRegistry(ctx context.Context, t leasesTask, n int) error {
	registry, err := etcd.New(registryConfig(t.Endpoints, t.Prefix))
	if err != nil {
		return err
	}
	r, err := registry.Register(ctx, instance("orders", idOf(n), "10.0.0.1:8080", 0))
	if err != nil {
		return err
	}
	return r.Wait(ctx)
}

// leaseBare has a client, a lease that the client keeps alive, and a key.
func leaseBare(ctx context.Context, t leasesTask, n int) error {
	client, err := connect(t.Endpoints...)
	if err != nil {
		return err
	}
	lease, err := client.Grant(ctx, 15)
	if err != nil {
		return err
	}
	key, value := (&writer{prefix: t.Prefix}).key("orders", idOf(n)), instance("orders", idOf(n), "10.0.0.1:8080", 0)
	if _, err := client.Put(ctx, key, fmt.Sprint(value), clientv3.WithLease(lease.ID)); err != nil {
		return err
	}
	renewals, err := client.KeepAlive(context.Background(), lease.ID)
	if err != nil {
		return err
	}
	go func() {
		for range renewals {
		}
	}()
	return nil
}
