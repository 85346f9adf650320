package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// watchersMetric is how many watches an etcd member serves.
const watchersMetric = "etcd_debugging_mvcc_watcher_total"

// measureCluster measures with three members what a deployment has: put to
// applied by a hundred meshes, registrations, and what a thousand processes
// with a lease each cost at rest.
func measureCluster(ctx context.Context, r *run) error {
	etcd, err := startCluster(ctx, 3)
	if err != nil {
		return err
	}
	defer etcd.stop()
	w, err := newWriter(ctx, etcd.endpoints, "cluster/")
	if err != nil {
		return err
	}
	defer w.close()
	if err := r.measureClusterFleets(ctx, etcd, w); err != nil {
		return err
	}
	empty, err := r.cpuAtRest(ctx, etcd.members)
	if err != nil {
		return err
	}
	r.addShare("etcd CPU at rest without clients, all members", empty, r.Rest)
	for _, variant := range []string{bare, fairlead} {
		prefix := "leases/" + variant + "/"
		if err := r.measureLeases(ctx, etcd, variant, prefix); err != nil {
			return err
		}
		// What the dead leave behind must not be charged to the next.
		if err := w.gone(ctx, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) measureClusterFleets(ctx context.Context, etcd *cluster, w *writer) error {
	var sides [2]*fleet
	for n, variant := range []string{bare, fairlead} {
		var err error
		if sides[n], err = startFleet(ctx, w, variant, variant, max(1, r.Watchers/10), 2, etcd.endpoints); err != nil {
			return err
		}
		defer sides[n].stop()
	}
	return r.compareFleets(ctx, sides[0], sides[1], 0)
}

// measureLeases puts the processes of a variant beside an etcd that is
// otherwise idle, and takes them away again.
func (r *run) measureLeases(ctx context.Context, etcd *cluster, variant, prefix string) error {
	p, err := worker.Start(ctx, membersRole, leasesTask{variant, etcd.endpoints, prefix, r.Leases})
	if err != nil {
		return err
	}
	defer p.Kill()
	for _, percent := range []float64{50, 99} {
		var ms float64
		if err := p.Ask(ctx, "took", percent/100, &ms); err != nil {
			return err
		}
		r.add(fmt.Sprintf("%s registration with a new client p%.0f", variant, percent), ms, "ms")
	}
	all := append([]*worker.Process{p}, etcd.members...)
	before := make([]time.Duration, len(all))
	for n, process := range all {
		u, err := process.Usage(ctx)
		if err != nil {
			return err
		}
		before[n] = u.CPU
	}
	stop, err := r.profile(ctx, p, variant+"-leases")
	if err != nil {
		return err
	}
	if err := r.rest(ctx); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	var client, servers time.Duration
	for n, process := range all {
		u, err := process.Usage(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			client = u.CPU - before[n]
		} else {
			servers += u.CPU - before[n]
		}
	}
	r.addShare(variant+" leases, client CPU at rest", client, r.Rest)
	r.addShare(variant+" leases, etcd CPU at rest, all members", servers, r.Rest)
	resident, err := residentOf(ctx, etcd.members)
	if err != nil {
		return err
	}
	r.addBytes(variant+" leases, etcd resident, each member", resident/int64(len(etcd.members)))
	return nil
}

// cpuAtRest is what processes use while nothing is asked of them.
func (r *run) cpuAtRest(ctx context.Context, processes []*worker.Process) (time.Duration, error) {
	before, err := cpuOf(ctx, processes)
	if err != nil {
		return 0, err
	}
	if err := r.rest(ctx); err != nil {
		return 0, err
	}
	after, err := cpuOf(ctx, processes)
	return after - before, err
}
