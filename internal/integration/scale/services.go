package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
	"github.com/fairlead-go/fairlead/transport"
)

// readerRole is a worker that watches many services.
const readerRole = "reader"

type readerTask struct {
	Variant   string
	Endpoints []string
	Prefix    string
	Services  int
	Instances int // of each
}

// readerState is what it has come to.
type readerState struct {
	Took       time.Duration // until all services were there
	Heap       int64         // beyond what there was before
	Goroutines int
}

func serveReader(t readerTask) (worker.Answers, error) {
	read := map[string]func(readerTask, *atomic.Int64) error{bare: readBare, fairlead: readMesh}[t.Variant]
	if read == nil {
		return nil, fmt.Errorf("there is no variant %q", t.Variant)
	}
	return worker.Answers{"read": func(json.RawMessage) (any, error) {
		before, goroutines, began := heap(), runtime.NumGoroutine(), time.Now()
		var live atomic.Int64
		if err := read(t, &live); err != nil {
			return nil, err
		}
		if err := until(time.Minute, func() bool { return live.Load() == int64(t.Services) }); err != nil {
			return nil, fmt.Errorf("%d of %d services are live: %w", live.Load(), t.Services, err)
		}
		took := time.Since(began)
		return readerState{took, heap() - before, runtime.NumGoroutine() - goroutines}, nil
	}}, nil
}

func serviceName(n int) string { return fmt.Sprintf("service-%d", n) }

// readMesh uses all services at once. The mesh ends with the process. The
// goroutines that count are gone when all is live.
func readMesh(t readerTask, live *atomic.Int64) error {
	mesh, err := transport.Open(registryConfig(t.Endpoints, t.Prefix), transport.WithLogger(quiet()))
	if err != nil {
		return err
	}
	for n := range t.Services {
		views, err := mesh.Views(context.Background(), serviceName(n))
		if err != nil {
			return err
		}
		go func() {
			for view := range views {
				if view.Snapshot.State == discovery.Live && len(view.Nodes) == t.Instances {
					live.Add(1)
					return
				}
			}
		}()
	}
	return nil
}

// readBare lists and watches each service over one client, 64 at a time, and
// decodes the records into a map.
func readBare(t readerTask, live *atomic.Int64) error {
	client, err := connect(t.Endpoints...)
	if err != nil {
		return err
	}
	var begin []func() error
	for n := range t.Services {
		begin = append(begin, func() error {
			prefix := (&writer{prefix: t.Prefix}).servicePrefix(serviceName(n))
			list, err := client.Get(context.Background(), prefix, clientv3.WithPrefix())
			if err != nil {
				return err
			}
			all := map[string]naive{}
			for _, kv := range list.Kvs {
				var record naive
				if err := json.Unmarshal(kv.Value, &record); err != nil {
					return err
				}
				all[string(kv.Key)] = record
			}
			changes := client.Watch(context.Background(), prefix, clientv3.WithPrefix(), clientv3.WithRev(list.Header.Revision+1))
			go func() { // keeps the map for as long as the process lives
				for range changes {
					clear(all)
				}
			}()
			if len(all) != t.Instances {
				return fmt.Errorf("service %d has %d instances", n, len(all))
			}
			live.Add(1)
			return nil
		})
	}
	return atOnce(64, begin)
}

// measureServices tells what a process pays that watches a thousand services
// of ten instances each.
func measureServices(ctx context.Context, r *run) error {
	etcd, err := startCluster(ctx, 1)
	if err != nil {
		return err
	}
	defer etcd.stop()
	w, err := newWriter(ctx, etcd.endpoints, "services/")
	if err != nil {
		return err
	}
	defer w.close()
	const instances = 10
	var names []string
	for n := range r.Services {
		names = append(names, serviceName(n))
	}
	if err := w.fill(ctx, instances, names...); err != nil {
		return err
	}
	for _, variant := range []string{bare, fairlead} {
		p, err := worker.Start(ctx, readerRole, readerTask{variant, etcd.endpoints, w.prefix, r.Services, instances})
		if err != nil {
			return err
		}
		defer p.Kill()
		stop, err := r.profile(ctx, p, variant)
		if err != nil {
			return err
		}
		var s readerState
		cpu, err := cpuDuring(ctx, p, func() error { return p.Ask(ctx, "read", nil, &s) })
		if err != nil {
			return err
		}
		if err := stop(); err != nil {
			return err
		}
		r.addTime(variant+" until all are live", s.Took)
		r.addTime(variant+" client CPU until then", cpu)
		r.addBytes(variant+" heap", s.Heap)
		r.add(variant+" goroutines", float64(s.Goroutines), "")
		server, err := etcd.members[0].Usage(ctx)
		if err != nil {
			return err
		}
		idle, err := cpuDuring(ctx, p, func() error { return r.rest(ctx) })
		if err != nil {
			return err
		}
		r.addShare(variant+" CPU at rest", idle, r.Rest)
		now, err := etcd.members[0].Usage(ctx)
		if err != nil {
			return err
		}
		r.addShare(variant+" etcd CPU at rest", now.CPU-server.CPU, r.Rest)
		watchers, err := etcd.gauge(ctx, watchersMetric) // not before the rest: a list can be live before its watch stands
		if err != nil {
			return err
		}
		r.add(variant+" watches at etcd", watchers, "")
		p.Kill()
	}
	return nil
}
