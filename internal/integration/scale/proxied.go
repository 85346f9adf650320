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

	took, changing, elapsed, err := r.changeUnder(ctx, f, servers)
	if err != nil {
		return err
	}
	r.add(way+", put to applied p50", quantile(took, 0.5), "ms")
	r.add(way+", put to applied p99", quantile(took, 0.99), "ms")
	before, err := usages(ctx, servers)
	if err != nil {
		return err
	}
	if err := r.rest(ctx); err != nil {
		return err
	}
	after, err := usages(ctx, servers)
	if err != nil {
		return err
	}
	for _, name := range []string{"etcd", "proxy"} {
		if servers[name] == nil {
			continue
		}
		idle := after[name].CPU - before[name].CPU
		busy := changing[name] - time.Duration(float64(idle)*float64(elapsed)/float64(r.Rest))
		r.add(way+", "+name+" CPU a change", 1000*busy.Seconds()/float64(r.Rounds*r.Changes), "ms")
		r.addShare(way+", "+name+" CPU at rest", idle, r.Rest)
		r.addBytes(way+", "+name+" resident", after[name].Resident)
	}
	return nil
}

// changeUnder makes changes and returns how long they took to the watchers, in
// ms, and what the servers used meanwhile.
func (r *run) changeUnder(ctx context.Context, f *fleet, servers map[string]*worker.Process) (took []float64, used map[string]time.Duration, elapsed time.Duration, err error) {
	if _, err := f.round(ctx, 2, r.Apart); err != nil { // cold caches
		return nil, nil, 0, err
	}
	before, err := usages(ctx, servers)
	if err != nil {
		return nil, nil, 0, err
	}
	began := time.Now()
	if took, err = f.round(ctx, r.Rounds*r.Changes, r.Apart); err != nil {
		return nil, nil, 0, err
	}
	elapsed = time.Since(began)
	after, err := usages(ctx, servers)
	if err != nil {
		return nil, nil, 0, err
	}
	used = map[string]time.Duration{}
	for name := range servers {
		used[name] = after[name].CPU - before[name].CPU
	}
	return took, used, elapsed, nil
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
