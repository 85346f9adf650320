package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
	"github.com/fairlead-go/fairlead/transport"
)

// holderRole is a worker that holds the instances of one large service.
const holderRole = "holder"

type holderTask struct {
	Variant   string
	Endpoints []string
	Prefix    string
	Service   string
	Instances int
}

// holder says how far the instances of a service have come.
type holder struct {
	size    atomic.Int64
	version atomic.Int64 // of the first instance
}

// naive is a record as a program would decode it that knows nothing else.
type naive struct {
	Op       int
	Addr     string
	Metadata discovery.Instance
}

// serveHolder is ready when it has all instances.
func serveHolder(t holderTask) (worker.Answers, error) {
	open := map[string]func(holderTask) (hold, error){bare: openNaive, fairlead: openMesh}[t.Variant]
	if open == nil {
		return nil, fmt.Errorf("there is no variant %q", t.Variant)
	}
	held, err := open(t)
	if err != nil {
		return nil, err
	}
	// Client, connection and buffers cost the same without instances.
	if _, err := held.all("nobody", 0); err != nil {
		return nil, err
	}
	before := heap()
	h, err := held.all(t.Service, t.Instances)
	if err != nil {
		return nil, err
	}
	return worker.Answers{
		"heap": func(json.RawMessage) (any, error) { return heap() - before, nil },
		"version": worker.To(func(version int64) (any, error) {
			return nil, until(time.Minute, func() bool { return h.version.Load() == version })
		}),
	}, nil
}

// hold begins to hold all instances of a service. What it begins ends with the
// process.
type hold func(service string, h *holder) error

// all waits until all are there.
func (begin hold) all(service string, instances int) (*holder, error) {
	h := &holder{}
	h.size.Store(-1)
	if err := begin(service, h); err != nil {
		return nil, err
	}
	if err := until(time.Minute, func() bool { return h.size.Load() == int64(instances) }); err != nil {
		return nil, fmt.Errorf("%d of %d instances: %w", h.size.Load(), instances, err)
	}
	return h, nil
}

// heap is what is reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first found to be finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func until(timeout time.Duration, ready func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !ready(); <-tick.C {
		if time.Since(began) > timeout {
			return errors.New("it took too long")
		}
	}
	return nil
}

// openMesh opens a mesh with the default policy.
func openMesh(t holderTask) (hold, error) {
	mesh, err := transport.Open(registryConfig(t.Endpoints, t.Prefix), transport.WithLogger(quiet()))
	if err != nil {
		return nil, err
	}
	return func(service string, h *holder) error {
		views, err := mesh.Views(context.Background(), service)
		if err != nil {
			return err
		}
		go func() {
			for view := range views {
				if len(view.Nodes) > 0 {
					h.version.Store(versionOf(view.Snapshot.Instances[0]))
				}
				h.size.Store(int64(len(view.Nodes)))
			}
		}()
		return nil
	}, nil
}

// openNaive decodes every record into a map of structs, and each change of
// one.
func openNaive(t holderTask) (hold, error) {
	client, err := connect(t.Endpoints...)
	if err != nil {
		return nil, err
	}
	return func(service string, h *holder) error {
		all, revision := map[string]naive{}, int64(0)
		decode := func(key, value []byte) error {
			var n naive
			err := json.Unmarshal(value, &n)
			all[string(key)] = n
			return err
		}
		prefix := (&writer{prefix: t.Prefix}).servicePrefix(service)
		if err := readPages(context.Background(), client, prefix, func(page *clientv3.GetResponse) error {
			for _, kv := range page.Kvs {
				if err := decode(kv.Key, kv.Value); err != nil {
					return err
				}
			}
			revision = page.Header.Revision
			return nil
		}); err != nil {
			return err
		}
		first := prefix + idOf(0)
		h.size.Store(int64(len(all)))
		go func() { // alone has the map from here on
			for r := range client.Watch(context.Background(), prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1)) {
				for _, e := range r.Events {
					if decode(e.Kv.Key, e.Kv.Value) == nil {
						h.version.Store(versionOf(new(all[first].Metadata)))
					}
				}
			}
		}()
		return nil
	}, nil
}

// measureInstances tells what a service of ten thousand instances costs a
// client, and each change of one of them.
func measureInstances(ctx context.Context, r *run) error {
	etcd, err := startCluster(ctx, 1)
	if err != nil {
		return err
	}
	defer etcd.stop()
	w, err := newWriter(ctx, etcd.endpoints, "instances/")
	if err != nil {
		return err
	}
	defer w.close()
	const service = "orders"
	if err := w.fill(ctx, r.Instances, service); err != nil {
		return err
	}
	r.add("a record", float64(len(w.value(service, 0, 0))), "B")
	version := 0
	for _, variant := range []string{bare, fairlead} {
		p, err := worker.Start(ctx, holderRole, holderTask{variant, etcd.endpoints, w.prefix, service, r.Instances})
		if err != nil {
			return err
		}
		defer p.Kill()
		if err := r.measureHolder(ctx, p, w, variant, service, &version); err != nil {
			return err
		}
		p.Kill()
	}
	return nil
}

func (r *run) measureHolder(ctx context.Context, p *worker.Process, w *writer, variant, service string, version *int) error {
	var bytes int64
	if err := p.Ask(ctx, "heap", nil, &bytes); err != nil {
		return err
	}
	r.addBytes(variant+" heap", bytes)
	if variant == fairlead {
		r.aim(10 * float64(r.Instances) / 10_000)
	}
	r.add(variant+" heap an instance", float64(bytes)/float64(r.Instances), "B")

	idle, err := cpuDuring(ctx, p, func() error { return r.rest(ctx) })
	if err != nil {
		return err
	}
	r.addShare(variant+" CPU at rest", idle, r.Rest)

	changes := r.Rounds * r.Changes
	stop, err := r.profile(ctx, p, variant+"-changes")
	if err != nil {
		return err
	}
	began := time.Now()
	cpu, err := cpuDuring(ctx, p, func() error {
		for range changes {
			*version++
			if _, err := w.put(ctx, service, 0, *version); err != nil {
				return err
			}
			if err := sleep(ctx, r.Apart); err != nil {
				return err
			}
		}
		return p.Ask(ctx, "version", *version, nil)
	})
	if err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	cpu -= time.Duration(float64(idle) * float64(time.Since(began)) / float64(r.Rest))
	r.add(variant+" CPU a change", 1000*cpu.Seconds()/float64(changes), "ms")
	if variant == fairlead {
		r.aim(2)
	}
	return r.measureBurst(ctx, p, w, variant, service, version)
}

// measureBurst changes a tenth of all instances, as fast as etcd takes it: a
// deployment in a hurry.
func (r *run) measureBurst(ctx context.Context, p *worker.Process, w *writer, variant, service string, version *int) error {
	*version++
	var burst []func() error
	for n := range max(1, r.Instances/10) {
		burst = append(burst, func() error {
			_, err := w.put(ctx, service, n+1, *version)
			return err
		})
	}
	stop, err := r.profile(ctx, p, variant+"-burst")
	if err != nil {
		return err
	}
	cpu, err := cpuDuring(ctx, p, func() error {
		if err := atOnce(64, burst); err != nil {
			return err
		}
		if _, err := w.put(ctx, service, 0, *version); err != nil {
			return err
		}
		return p.Ask(ctx, "version", *version, nil)
	})
	if err != nil {
		return err
	}
	r.add(variant+" CPU a change in a burst", 1000*cpu.Seconds()/float64(len(burst)+1), "ms")
	return stop()
}

// cpuDuring is what a process uses meanwhile.
func cpuDuring(ctx context.Context, p *worker.Process, do func() error) (time.Duration, error) {
	before, err := p.Usage(ctx)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := p.Usage(ctx)
	return after.CPU - before.CPU, err
}
