package main

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// fleet is many watchers of one service in several processes, and the one
// instance of it that changes.
type fleet struct {
	variant   string
	service   string
	writer    *writer
	version   int
	processes []*worker.Process
}

// instancesOfAFleet is how many instances the watched service has.
const instancesOfAFleet = 10

// startFleet starts watchers that reach etcd over endpoints; w writes what
// they see.
func startFleet(ctx context.Context, w *writer, variant, service string, watchers, processes int, endpoints []string) (*fleet, error) {
	if err := w.fill(ctx, instancesOfAFleet, service); err != nil {
		return nil, err
	}
	f := &fleet{variant: variant, service: service, writer: w}
	for n := range processes {
		share := watchers/processes + min(1, max(0, watchers%processes-n)) // the first take what is left over
		p, err := worker.Start(ctx, watchersRole, watchersTask{
			Variant: variant, Endpoints: endpoints, Prefix: w.prefix, Service: service, Watchers: share,
		})
		if err != nil {
			f.stop()
			return nil, err
		}
		f.processes = append(f.processes, p)
	}
	return f, nil
}

func (f *fleet) stop() {
	for _, p := range f.processes {
		p.Kill()
	}
}

// round makes changes, so far apart that each finds everybody at rest, and
// returns how long each took to each watcher, in ms: from before the put.
func (f *fleet) round(ctx context.Context, changes int, apart time.Duration) ([]float64, error) {
	puts := make([]arrival, changes)
	tick := time.NewTicker(apart)
	defer tick.Stop()
	for n := range puts {
		f.version++
		at := time.Now().UnixNano()
		id, err := f.writer.put(ctx, f.service, 0, f.version)
		if err != nil {
			return nil, err
		}
		if f.variant == fairlead {
			id = int64(f.version)
		}
		puts[n] = arrival{id, at}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var took []float64
	for _, p := range f.processes {
		var all [][]arrival
		if err := p.Ask(ctx, "arrivals", puts[len(puts)-1].ID, &all); err != nil {
			return nil, err
		}
		for _, arrivals := range all {
			more, err := latencies(puts, arrivals)
			if err != nil {
				return nil, err
			}
			took = append(took, more...)
		}
	}
	return took, nil
}

// latencies tells for each put when the watcher first saw it or a later one.
func latencies(puts, arrivals []arrival) ([]float64, error) {
	var took []float64
	for _, p := range puts {
		n := sort.Search(len(arrivals), func(n int) bool { return arrivals[n].ID >= p.ID })
		if n == len(arrivals) {
			return nil, fmt.Errorf("change %d was never seen", p.ID)
		}
		took = append(took, float64(arrivals[n].At-p.At)/1e6)
	}
	return took, nil
}

// cpu is what the processes have used so far.
func (f *fleet) cpu(ctx context.Context) (time.Duration, error) { return cpuOf(ctx, f.processes) }

func cpuOf(ctx context.Context, processes []*worker.Process) (time.Duration, error) {
	sum := time.Duration(0)
	for _, p := range processes {
		u, err := p.Usage(ctx)
		if err != nil {
			return 0, err
		}
		sum += u.CPU
	}
	return sum, nil
}

func residentOf(ctx context.Context, processes []*worker.Process) (int64, error) {
	sum := int64(0)
	for _, p := range processes {
		u, err := p.Usage(ctx)
		if err != nil {
			return 0, err
		}
		sum += u.Resident
	}
	return sum, nil
}
