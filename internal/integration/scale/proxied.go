package main

import (
	"context"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/grpcproxy"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// measureProxy compares clients that watch over etcd's own gRPC proxy with as
// many that watch etcd itself: what etcd is spared, what the proxy costs, and
// how much later a change arrives. One way stands at a time, each with an etcd
// of its own.
func measureProxy(ctx context.Context, r *run) error {
	for _, way := range []string{"direct", "through the proxy"} {
		if err := r.measureWay(ctx, way, way != "direct"); err != nil {
			return err
		}
	}
	r.add("etcd CPU a change, proxy ÷ direct", r.value("proxy", "through the proxy, etcd CPU a change")/r.value("proxy", "direct, etcd CPU a change"), "×")
	return nil
}

func (r *run) measureWay(ctx context.Context, way string, proxied bool) error {
	etcd, err := startCluster(ctx, 1)
	if err != nil {
		return err
	}
	defer etcd.stop()
	w, err := newWriter(ctx, etcd.endpoints, "proxy/")
	if err != nil {
		return err
	}
	defer w.close()
	endpoints, servers := etcd.endpoints, map[string]*worker.Process{"etcd": etcd.members[0]}
	if proxied {
		proxy, err := grpcproxy.Start(ctx, etcd.endpoints...)
		if err != nil {
			return err
		}
		defer proxy.Kill()
		endpoints, servers["proxy"] = []string{proxy.Endpoint()}, proxy.Process()
	}
	f, err := startFleet(ctx, w, fairlead, "orders", r.Clients, r.Processes, endpoints)
	if err != nil {
		return err
	}
	defer f.stop()
	watchers, err := etcd.gauge(ctx, watchersMetric)
	if err != nil {
		return err
	}
	r.add(way+", watches at etcd", watchers, "")

	before, err := r.usedAtRest(ctx, servers)
	if err != nil {
		return err
	}
	took, changing, elapsed, err := r.changeUnder(ctx, f, servers)
	if err != nil {
		return err
	}
	r.add(way+", put to applied p50", quantile(took, 0.5), "ms")
	r.add(way+", put to applied p99", quantile(took, 0.99), "ms")
	after, err := r.usedAtRest(ctx, servers)
	if err != nil {
		return err
	}
	all, err := usages(ctx, servers)
	if err != nil {
		return err
	}
	for _, name := range []string{"etcd", "proxy"} {
		if servers[name] == nil {
			continue
		}
		idle := (before[name] + after[name]) / 2
		busy := changing[name] - time.Duration(float64(idle)*float64(elapsed)/float64(r.Rest))
		r.add(way+", "+name+" CPU a change", 1000*busy.Seconds()/float64(r.Rounds*r.Changes), "ms")
		r.addShare(way+", "+name+" CPU at rest", idle, r.Rest)
		r.addBytes(way+", "+name+" resident", all[name].Resident)
	}
	return nil
}

// usedAtRest is what each server uses while nothing changes.
func (r *run) usedAtRest(ctx context.Context, servers map[string]*worker.Process) (map[string]time.Duration, error) {
	return used(ctx, servers, func() error { return r.rest(ctx) })
}

// changeUnder makes changes and returns how long they took to the watchers, in
// ms, what each server used meanwhile, and how long that was.
func (r *run) changeUnder(ctx context.Context, f *fleet, servers map[string]*worker.Process) (took []float64, cpu map[string]time.Duration, elapsed time.Duration, err error) {
	if _, err := f.round(ctx, 2, r.Apart); err != nil { // cold caches
		return nil, nil, 0, err
	}
	began := time.Now()
	cpu, err = used(ctx, servers, func() error {
		took, err = f.round(ctx, r.Rounds*r.Changes, r.Apart)
		return err
	})
	return took, cpu, time.Since(began), err
}

// used is the CPU time that each of the processes takes meanwhile.
func used(ctx context.Context, processes map[string]*worker.Process, do func() error) (map[string]time.Duration, error) {
	before, err := usages(ctx, processes)
	if err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	after, err := usages(ctx, processes)
	if err != nil {
		return nil, err
	}
	cpu := map[string]time.Duration{}
	for name := range processes {
		cpu[name] = after[name].CPU - before[name].CPU
	}
	return cpu, nil
}

func usages(ctx context.Context, processes map[string]*worker.Process) (map[string]worker.Usage, error) {
	all := map[string]worker.Usage{}
	for name, p := range processes {
		var err error
		if all[name], err = p.Usage(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}
