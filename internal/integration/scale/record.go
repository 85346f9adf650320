package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
)

// quiet is the logger of everything that is measured by the thousand.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// registryConfig is that of every registry here.
func registryConfig(endpoints []string, prefix string) etcd.Config {
	return etcd.Config{Client: clientv3.Config{Endpoints: endpoints}, Prefix: prefix, Logger: quiet()}
}

// instance is what is registered: as Serve of the HTTP door would, with a
// version and a zone. Its version tells one state of it from another.
func instance(service, id, addr string, version int) discovery.Instance {
	return discovery.Instance{
		ID: id, Service: service, Version: fmt.Sprintf("v%06d", version), Zone: "zone-a",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: addr}},
	}
}

// versionOf is the number in an instance's version.
func versionOf(i *discovery.Instance) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(i.Version, "v"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Places in the template that are filled in.
const (
	templateID      = "00000000000000000000000000000000"
	templateAddr    = "10.254.254.254:8080"
	templateService = "template-service-name"
	templateVersion = 999999
)

// writer puts records as a registry would, as fast as etcd takes them, all
// under one lease that lasts as long as the run.
type writer struct {
	client *clientv3.Client
	prefix string
	lease  clientv3.LeaseID
	record string // the template, as the registry wrote it
}

// newWriter lets the registry write one record, takes that as the template of
// all others and removes it.
func newWriter(ctx context.Context, endpoints []string, prefix string) (*writer, error) {
	registry, err := etcd.New(registryConfig(endpoints, prefix))
	if err != nil {
		return nil, err
	}
	defer registry.Close(context.WithoutCancel(ctx))
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := registry.Register(wait, instance(templateService, templateID, templateAddr, templateVersion))
	if err != nil {
		return nil, err
	}
	if err := r.Wait(wait); err != nil {
		return nil, err
	}
	client, err := connect(endpoints...)
	if err != nil {
		return nil, err
	}
	w := &writer{client: client, prefix: prefix}
	written, err := client.Get(wait, w.key(templateService, templateID))
	if err != nil {
		return nil, err
	}
	if len(written.Kvs) != 1 {
		return nil, fmt.Errorf("the registry wrote %d records, not one", len(written.Kvs))
	}
	w.record = string(written.Kvs[0].Value)
	lease, err := client.Grant(wait, 3600)
	if err != nil {
		return nil, err
	}
	w.lease = lease.ID
	return w, nil
}

func (w *writer) close() { w.client.Close() }

func (w *writer) servicePrefix(service string) string { return w.prefix + "instances/" + service + "/" }

func (w *writer) key(service, id string) string { return w.servicePrefix(service) + id }

// value is the record of instance n of a service.
func (w *writer) value(service string, n, version int) string {
	return strings.NewReplacer(
		templateID, idOf(n),
		templateAddr, fmt.Sprintf("10.%d.%d.%d:8080", n>>16&255, n>>8&255, n&255),
		templateService, service,
		"v"+strconv.Itoa(templateVersion), fmt.Sprintf("v%06d", version),
	).Replace(w.record)
}

func idOf(n int) string { return fmt.Sprintf("%032x", n+1) }

// put writes instance n of a service and returns the revision.
func (w *writer) put(ctx context.Context, service string, n, version int) (int64, error) {
	r, err := w.client.Put(ctx, w.key(service, idOf(n)), w.value(service, n, version), clientv3.WithLease(w.lease))
	if err != nil {
		return 0, err
	}
	return r.Header.Revision, nil
}

func (w *writer) ruleKey(service string) string { return w.prefix + "rules/" + service }

// putRule writes the rules of a service, those of a canary, and returns the
// revision.
func (w *writer) putRule(ctx context.Context, service string, version int) (int64, error) {
	p := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Metadata: rule.Metadata{Name: fmt.Sprintf("v%06d", version)}, Spec: rule.Spec{
		Service: service,
		Subsets: []rule.Subset{{Name: "stable", Labels: map[string]string{"version": "v1"}}, {Name: "canary", Labels: map[string]string{"version": "v2"}}},
		Routes: []rule.Route{{
			Name: "canary", Match: []rule.Match{{Method: "GET", Path: &rule.Text{Prefix: "/v1/"}}},
			Route: []rule.Destination{{Subset: "stable", Weight: 95}, {Subset: "canary", Weight: 5}}, Fallback: "stable",
		}},
	}}
	text, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	r, err := w.client.Put(ctx, w.ruleKey(service), string(text))
	if err != nil {
		return 0, err
	}
	return r.Header.Revision, nil
}

// gone waits until nothing is left below a prefix.
func (w *writer) gone(ctx context.Context, prefix string) error {
	for {
		left, err := w.client.Get(ctx, prefix+"instances/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil || left.Count == 0 {
			return err
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// fill writes the first n instances of each service.
func (w *writer) fill(ctx context.Context, n int, services ...string) error {
	var all []func() error
	for _, s := range services {
		for i := range n {
			all = append(all, func() error {
				_, err := w.put(ctx, s, i, 0)
				return err
			})
		}
	}
	return atOnce(64, all)
}

// atOnce does all of it, so many at a time, and returns the first error.
func atOnce(width int, all []func() error) error {
	var mu sync.Mutex
	var first error
	next := 0
	var working sync.WaitGroup
	for range min(width, len(all)) {
		working.Go(func() {
			for {
				mu.Lock()
				if first != nil || next == len(all) {
					mu.Unlock()
					return
				}
				do := all[next]
				next++
				mu.Unlock()
				if err := do(); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	working.Wait()
	return first
}
