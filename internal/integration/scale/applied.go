package main

import (
	"context"
	"fmt"
)

// measureApplied compares a thousand meshes with a thousand bare watches: from
// before a put to the moment when each has it. A mesh has it when its view
// shows it, a bare watch when its channel does. Both sides have an etcd client
// for each watcher, the same etcd, records of the same size and as many
// processes, all of which stand during the whole run; while one side is
// measured, the other has nothing to see.
func measureApplied(ctx context.Context, r *run) error { return r.compareApplied(ctx, false) }

// measureRules is measureApplied for changes of the rules. A mesh has them when
// its calls go by them.
func measureRules(ctx context.Context, r *run) error { return r.compareApplied(ctx, true) }

func (r *run) compareApplied(ctx context.Context, rules bool) error {
	etcd, err := startCluster(ctx, 1)
	if err != nil {
		return err
	}
	defer etcd.stop()
	w, err := newWriter(ctx, etcd.endpoints, "applied/")
	if err != nil {
		return err
	}
	defer w.close()
	var sides [2]*fleet
	for n, variant := range []string{bare, fairlead} {
		f := &fleet{variant: variant, service: variant, writer: w, rules: rules}
		if sides[n], err = f.start(ctx, r.Watchers, r.Processes, etcd.endpoints); err != nil {
			return err
		}
		defer sides[n].stop()
	}
	return r.compareFleets(ctx, sides[0], sides[1], 1.3)
}

// compareFleets measures two fleets in turn. aim is that of the ratio of
// their p99.
func (r *run) compareFleets(ctx context.Context, base, other *fleet, aim float64) error {
	sides := [2]*fleet{base, other}
	for _, f := range sides { // the first changes find cold caches
		if _, err := f.round(ctx, 2, r.Apart); err != nil {
			return err
		}
	}
	var p50, p99, cpu [2][]float64
	var all [2][]float64
	for round := range r.Rounds {
		for place := range sides {
			n := (place + round) % 2 // who begins changes
			f := sides[n]
			stop, err := r.profile(ctx, f.processes[0], fmt.Sprintf("%s-%d", f.service, round))
			if err != nil {
				return err
			}
			before, err := f.cpu(ctx)
			if err != nil {
				return err
			}
			took, err := f.round(ctx, r.Changes, r.Apart)
			if err != nil {
				return err
			}
			after, err := f.cpu(ctx)
			if err != nil {
				return err
			}
			if err := stop(); err != nil {
				return err
			}
			p50[n], p99[n] = append(p50[n], quantile(took, 0.5)), append(p99[n], quantile(took, 0.99))
			cpu[n] = append(cpu[n], 1000*(after-before).Seconds()/float64(r.Changes))
			all[n] = append(all[n], took...)
		}
	}
	for n, f := range sides {
		r.add(f.service+" put to applied p50", quantile(all[n], 0.5), "ms")
		r.add(f.service+" put to applied p99", quantile(all[n], 0.99), "ms")
		r.addRounds(f.service+" client CPU a change, all watchers", cpu[n], "ms")
	}
	ratio := other.service + " ÷ " + base.service
	r.addRatio(ratio+" p50", p50[1], p50[0], 0)
	r.addRatio(ratio+" p99", p99[1], p99[0], aim)
	r.addRatio(ratio+" client CPU", cpu[1], cpu[0], 0)
	return nil
}
