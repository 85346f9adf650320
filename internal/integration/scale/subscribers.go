package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// subscribersRole is a worker that watches in five ways: one subscriber of a
// registry, many subscribers of the same, one bare watch, many bare watches
// over one client, and one bare watch that wakes many goroutines, which is the
// least that many subscribers of one watch can cost.
const subscribersRole = "subscribers"

type subscribersTask struct {
	Endpoints   []string
	Prefix      string
	Subscribers int
}

// Which of them a change is for; each has a service of its own.
const (
	oneSubscriber   = "one-subscriber"
	manySubscribers = "many-subscribers"
	oneBareWatch    = "one-bare-watch"
	manyBareWatches = "many-bare-watches"
	manyBareWaiters = "many-waiters-of-one-bare-watch"
)

// audience is all who watch a service.
type audience struct {
	size    int64
	arrived atomic.Int64
	last    chan int64 // when the last of all saw the change, by the machine's clock
}

func newAudience(size int) *audience { return &audience{size: int64(size), last: make(chan int64, 1)} }

// note is called once by each for each change. The next change comes only when
// all have seen this one.
func (a *audience) note() {
	if a.arrived.Add(1)%a.size == 0 {
		a.last <- time.Now().UnixNano()
	}
}

// serveSubscribers is ready when all of them have seen the first list.
func serveSubscribers(t subscribersTask) (worker.Answers, error) {
	registry, err := etcd.New(registryConfig(t.Endpoints, t.Prefix))
	if err != nil {
		return nil, err
	}
	audiences := map[string]*audience{
		oneSubscriber: newAudience(1), manySubscribers: newAudience(t.Subscribers),
		oneBareWatch: newAudience(1), manyBareWatches: newAudience(t.Subscribers), manyBareWaiters: newAudience(t.Subscribers),
	}
	for _, service := range []string{oneSubscriber, manySubscribers} {
		for range audiences[service].size {
			go subscribe(registry, service, audiences[service])
		}
	}
	for _, service := range []string{oneBareWatch, manyBareWatches, manyBareWaiters} {
		client, err := connect(t.Endpoints...)
		if err != nil {
			return nil, err
		}
		a, watches, see := audiences[service], audiences[service].size, audiences[service].note
		if service == manyBareWaiters {
			watches, see = 1, a.wake()
		}
		for range watches {
			if err := watchOver(client, (&writer{prefix: t.Prefix}).servicePrefix(service), see); err != nil {
				return nil, err
			}
		}
	}
	for _, a := range audiences {
		if _, err := a.await(); err != nil {
			return nil, err
		}
	}
	return worker.Answers{"last": worker.To(func(service string) (any, error) { return audiences[service].await() })}, nil
}

func (a *audience) await() (int64, error) {
	select {
	case at := <-a.last:
		return at, nil
	case <-time.After(30 * time.Second):
		return 0, fmt.Errorf("%d of %d have seen the change", a.arrived.Load()%a.size, a.size)
	}
}

// subscribe ends with the process, as does watchOver.
func subscribe(registry *etcd.Registry, service string, a *audience) {
	last := int64(-1)
	for s := range registry.Watch(context.Background(), service) {
		if s.State == discovery.Live && len(s.Instances) > 0 && versionOf(s.Instances[0]) != last {
			last = versionOf(s.Instances[0])
			a.note()
		}
	}
}

func watchOver(client *clientv3.Client, prefix string, see func()) error {
	changes := client.Watch(context.Background(), prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	if r := <-changes; r.Err() != nil {
		return r.Err()
	}
	see()
	go func() {
		for r := range changes {
			for range r.Events {
				see()
			}
		}
	}()
	return nil
}

// wake starts a goroutine for each of the audience and returns what makes all
// of them see a change.
func (a *audience) wake() (see func()) {
	var turn atomic.Pointer[chan struct{}]
	turn.Store(new(make(chan struct{})))
	for range a.size {
		mine := *turn.Load()
		go func() {
			for {
				<-mine
				mine = *turn.Load()
				a.note()
			}
		}()
	}
	return func() { close(*turn.Swap(new(make(chan struct{})))) }
}

// measureSubscribers compares how long a change takes to the last of many
// subscribers in one process with how long it takes to a lone one: they share
// one watch of etcd, so it should be hardly longer.
func measureSubscribers(ctx context.Context, r *run) error {
	etcd, err := startCluster(ctx, 1)
	if err != nil {
		return err
	}
	defer etcd.stop()
	w, err := newWriter(ctx, etcd.endpoints, "subscribers/")
	if err != nil {
		return err
	}
	defer w.close()
	services := []string{oneSubscriber, manySubscribers, oneBareWatch, manyBareWatches, manyBareWaiters}
	if err := w.fill(ctx, instancesOfAFleet, services...); err != nil {
		return err
	}
	p, err := worker.Start(ctx, subscribersRole, subscribersTask{etcd.endpoints, w.prefix, r.Subscribers})
	if err != nil {
		return err
	}
	defer p.Kill()

	all, p50 := map[string][]float64{}, map[string][]float64{}
	version := 0
	for round := range r.Rounds {
		for place := range services {
			service := services[(place+round)%len(services)]
			stop, err := r.profile(ctx, p, fmt.Sprintf("%s-%d", service, round))
			if err != nil {
				return err
			}
			var took []float64
			for range r.Changes {
				version++
				began := time.Now().UnixNano()
				if _, err := w.put(ctx, service, 0, version); err != nil {
					return err
				}
				var last int64
				if err := p.Ask(ctx, "last", service, &last); err != nil {
					return err
				}
				took = append(took, float64(last-began)/1e6)
				if err := sleep(ctx, r.Apart); err != nil {
					return err
				}
			}
			if err := stop(); err != nil {
				return err
			}
			all[service] = append(all[service], took...)
			p50[service] = append(p50[service], quantile(took, 0.5))
		}
	}
	for _, s := range services {
		r.add(s+" put to last p50", quantile(all[s], 0.5), "ms")
		r.add(s+" put to last p99", quantile(all[s], 0.99), "ms")
	}
	r.addRatio("many ÷ one subscriber p50", p50[manySubscribers], p50[oneSubscriber], 1.5)
	r.addRatio("many waiters of one ÷ one bare watch p50", p50[manyBareWaiters], p50[oneBareWatch], 0)
	r.addRatio("one subscriber ÷ one bare watch p50", p50[oneSubscriber], p50[oneBareWatch], 0)
	r.addRatio("many subscribers ÷ many bare watches p50", p50[manySubscribers], p50[manyBareWatches], 0)
	return nil
}
