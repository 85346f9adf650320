package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// fleet is many watchers of one service in several processes, and the one
// instance of it that changes.
type fleet struct {
	variant   string
	service   string
	writer    *writer
	rules     bool // change, and not an instance
	version   int
	processes []*worker.Process
}

// instancesOfAFleet is how many instances the watched service has.
const instancesOfAFleet = 10

// startFleet starts watchers that reach etcd over endpoints; w writes what
// they see.
func startFleet(ctx context.Context, w *writer, variant, service string, watchers, processes int, endpoints []string) (*fleet, error) {
	return (&fleet{variant: variant, service: service, writer: w}).start(ctx, watchers, processes, endpoints)
}

func (f *fleet) start(ctx context.Context, watchers, processes int, endpoints []string) (*fleet, error) {
	w := f.writer
	if err := w.fill(ctx, instancesOfAFleet, f.service); err != nil {
		return nil, err
	}
	if f.rules {
		if _, err := w.putRule(ctx, f.service, 0); err != nil {
			return nil, err
		}
	}
	for n := range processes {
		share := watchers/processes + min(1, max(0, watchers%processes-n)) // the first take what is left over
		p, err := worker.Start(ctx, watchersRole, watchersTask{
			Variant: f.variant, Endpoints: endpoints, Prefix: w.prefix, Service: f.service, Watchers: share, Rules: f.rules,
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

// round makes changes and returns how long each took to each watcher, in ms:
// from before the put. The next comes a while after the last watcher has seen
// the one before, so that each finds everybody at rest, however slow they are.
func (f *fleet) round(ctx context.Context, changes int, apart time.Duration) ([]float64, error) {
	var took []float64
	for range changes {
		f.version++
		put := arrival{At: time.Now().UnixNano()}
		var err error
		if put.ID, err = f.change(ctx); err != nil {
			return nil, err
		}
		for _, p := range f.processes {
			var all [][]arrival
			if err := p.Ask(ctx, "arrivals", put.ID, &all); err != nil {
				return nil, err
			}
			for _, arrivals := range all {
				ms, err := latency(put, arrivals)
				if err != nil {
					return nil, err
				}
				took = append(took, ms)
			}
		}
		if err := sleep(ctx, apart); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// change makes the next version and returns by what its arrival is known.
func (f *fleet) change(ctx context.Context) (int64, error) {
	if f.rules {
		return f.writer.putRule(ctx, f.service, f.version)
	}
	id, err := f.writer.put(ctx, f.service, 0, f.version)
	if f.variant == fairlead {
		id = int64(f.version)
	}
	return id, err
}

// latency tells when the watcher first saw what was put, or something later.
func latency(put arrival, arrivals []arrival) (ms float64, err error) {
	n := slices.IndexFunc(arrivals, func(a arrival) bool { return a.ID >= put.ID })
	if n < 0 {
		return 0, fmt.Errorf("change %d was never seen", put.ID)
	}
	return float64(arrivals[n].At-put.At) / 1e6, nil
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
