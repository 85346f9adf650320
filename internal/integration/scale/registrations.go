package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// registrarRole is a worker that registers many instances under one lease and
// withdraws them.
const registrarRole = "registrar"

// puts is a third variant: the puts of the bare side and nothing else.
const puts = "puts"

type registrarTask struct {
	Variant   string
	Endpoints []string
	Prefix    string
	Instances int
	InFlight  int
}

// registrar is one variant of it.
type registrar interface {
	register(ctx context.Context, all []discovery.Instance) error
	leave(ctx context.Context) error
}

func serveRegistrar(t registrarTask) (worker.Answers, error) {
	var r registrar
	switch t.Variant {
	case fairlead:
		registry, err := etcd.New(registryConfig(t.Endpoints, t.Prefix))
		if err != nil {
			return nil, err
		}
		r = &fairleadRegistrar{registry}
	default:
		client, err := connect(t.Endpoints...)
		if err != nil {
			return nil, err
		}
		r = &bareRegistrar{task: t, client: client}
	}
	ctx := context.Background()
	return worker.Answers{
		"register": func(json.RawMessage) (any, error) {
			all := make([]discovery.Instance, t.Instances)
			for n := range all {
				all[n] = instance(fmt.Sprintf("service-%d", n%100), discovery.NewID(), fmt.Sprintf("10.%d.%d.%d:8080", n>>16&255, n>>8&255, n&255), 0)
			}
			return nil, r.register(ctx, all)
		},
		"leave": func(json.RawMessage) (any, error) { return nil, r.leave(ctx) },
	}, nil
}

// fairleadRegistrar registers all and waits until each is proved: read back
// under the lease of the process.
type fairleadRegistrar struct{ registry *etcd.Registry }

func (r *fairleadRegistrar) register(ctx context.Context, all []discovery.Instance) error {
	registrations := make([]discovery.Registration, len(all))
	for n, i := range all {
		var err error
		if registrations[n], err = r.registry.Register(ctx, i); err != nil {
			return err
		}
	}
	for _, reg := range registrations {
		if err := reg.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *fairleadRegistrar) leave(ctx context.Context) error { return r.registry.Close(ctx) }

// bareRegistrar does what a registration cannot do without: a lease that is
// kept alive; for each instance its record in JSON and a put under the lease;
// and, when all are put, a proof that they stand, for which all keys are read
// back in pages of 500 and compared with what was put.
type bareRegistrar struct {
	task   registrarTask
	client *clientv3.Client
	lease  clientv3.LeaseID
}

func (r *bareRegistrar) register(ctx context.Context, all []discovery.Instance) error {
	lease, err := r.client.Grant(ctx, 15)
	if err != nil {
		return err
	}
	r.lease = lease.ID
	renewals, err := r.client.KeepAlive(ctx, lease.ID)
	if err != nil {
		return err
	}
	go func() { // ends with the client
		for range renewals {
		}
	}()
	prefix := r.task.Prefix + "instances/"
	records := make(map[string]string, len(all))
	work := make([]func() error, 0, len(all))
	for _, i := range all {
		raw, err := json.Marshal(i)
		if err != nil {
			return err
		}
		key, value := prefix+i.Service+"/"+i.ID, string(raw)
		records[key] = value
		work = append(work, func() error {
			_, err := r.client.Put(ctx, key, value, clientv3.WithLease(lease.ID))
			return err
		})
	}
	if err := atOnce(r.task.InFlight, work); err != nil || r.task.Variant == puts {
		return err
	}
	return readPages(ctx, r.client, prefix, func(page *clientv3.GetResponse) error {
		for _, kv := range page.Kvs {
			if records[string(kv.Key)] != string(kv.Value) || kv.Lease != int64(lease.ID) {
				return fmt.Errorf("%s is not what was put", kv.Key)
			}
			delete(records, string(kv.Key))
		}
		if !page.More && len(records) > 0 {
			return fmt.Errorf("%d records are missing", len(records))
		}
		return nil
	})
}

func (r *bareRegistrar) leave(ctx context.Context) error {
	_, err := r.client.Revoke(ctx, r.lease)
	return err
}

// readPages reads everything below a prefix, 500 keys at a time.
func readPages(ctx context.Context, client *clientv3.Client, prefix string, see func(*clientv3.GetResponse) error) error {
	from, end, revision := prefix, clientv3.GetPrefixRangeEnd(prefix), int64(0)
	for {
		page, err := client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(500), clientv3.WithRev(revision))
		if err != nil {
			return err
		}
		if err := see(page); err != nil || !page.More {
			return err
		}
		revision, from = page.Header.Revision, string(page.Kvs[len(page.Kvs)-1].Key)+"\x00"
	}
}

// measureRegistrations compares what ten thousand registrations of one process
// cost it, and how long they take to go, with what etcd's client needs for the
// same thing.
func measureRegistrations(ctx context.Context, r *run) error {
	etcd, err := startCluster(ctx, 1)
	if err != nil {
		return err
	}
	defer etcd.stop()
	client, err := connect(etcd.endpoints...)
	if err != nil {
		return err
	}
	defer client.Close()

	variants := []string{bare, fairlead, puts}
	found := map[string]registered{}
	for round := range (r.Rounds + 2) / 3 {
		for place := range variants {
			v := variants[(place+round)%len(variants)]
			m, err := r.registerOnce(ctx, etcd, client, v, round)
			if err != nil {
				return fmt.Errorf("%s: %w", v, err)
			}
			m.add(found[v])
			found[v] = m
		}
	}
	for _, v := range variants {
		r.addRounds(v+" registering, client CPU", found[v].cpu, "ms")
		r.addRounds(v+" registering, etcd CPU", found[v].etcd, "ms")
		r.addRounds(v+" until registered", found[v].elapsed, "ms")
		r.addRounds(v+" from leaving to the last deletion", found[v].gone, "ms")
	}
	r.addRatio("fairlead ÷ bare client CPU", found[fairlead].cpu, found[bare].cpu, 1.2)
	r.addRatio("fairlead ÷ puts client CPU", found[fairlead].cpu, found[puts].cpu, 0)
	r.addRatio("fairlead ÷ bare until registered", found[fairlead].elapsed, found[bare].elapsed, 0)
	r.addRatio("fairlead ÷ bare until gone", found[fairlead].gone, found[bare].gone, 2)
	return nil
}

// registered is what was measured of a variant, in ms, one value per round.
type registered struct{ cpu, etcd, elapsed, gone []float64 }

func (m *registered) add(before registered) {
	m.cpu = append(before.cpu, m.cpu...)
	m.etcd = append(before.etcd, m.etcd...)
	m.elapsed = append(before.elapsed, m.elapsed...)
	m.gone = append(before.gone, m.gone...)
}

// registerOnce lets a process register and leave, and watches from another.
func (r *run) registerOnce(ctx context.Context, etcd *cluster, client *clientv3.Client, variant string, round int) (registered, error) {
	prefix := fmt.Sprintf("registrations/%s/%d/", variant, round)
	p, err := worker.Start(ctx, registrarRole, registrarTask{variant, etcd.endpoints, prefix, r.Registrations, r.InFlight})
	if err != nil {
		return registered{}, err
	}
	defer p.Kill()
	stop, err := r.profile(ctx, p, fmt.Sprintf("%s-%d", variant, round))
	if err != nil {
		return registered{}, err
	}
	server := etcd.members[0]
	clientBefore, serverBefore, began := worker.Usage{}, worker.Usage{}, time.Now()
	if clientBefore, err = p.Usage(ctx); err == nil {
		serverBefore, err = server.Usage(ctx)
	}
	if err != nil {
		return registered{}, err
	}
	if err := p.Ask(ctx, "register", nil, nil); err != nil {
		return registered{}, err
	}
	elapsed := time.Since(began)
	clientAfter, err := p.Usage(ctx)
	if err != nil {
		return registered{}, err
	}
	serverAfter, err := server.Usage(ctx)
	if err != nil {
		return registered{}, err
	}

	deletions, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	events := client.Watch(deletions, prefix+"instances/", clientv3.WithPrefix(), clientv3.WithFilterPut(), clientv3.WithCreatedNotify())
	if w := <-events; w.Err() != nil {
		return registered{}, w.Err()
	}
	left := make(chan error, 1)
	began = time.Now()
	go func() { left <- p.Ask(deletions, "leave", nil, nil) }()
	for missing := r.Registrations; missing > 0; {
		w, ok := <-events
		if !ok || w.Err() != nil {
			return registered{}, errors.Join(fmt.Errorf("%d instances have not gone", missing), w.Err(), deletions.Err())
		}
		missing -= len(w.Events)
	}
	gone := time.Since(began)
	if err := <-left; err != nil {
		return registered{}, err
	}
	ms := func(d time.Duration) []float64 { return []float64{d.Seconds() * 1000} }
	return registered{
		cpu: ms(clientAfter.CPU - clientBefore.CPU), etcd: ms(serverAfter.CPU - serverBefore.CPU),
		elapsed: ms(elapsed), gone: ms(gone),
	}, stop()
}
