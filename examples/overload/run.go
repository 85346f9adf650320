package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/examples/internal/localetcd"
	"github.com/fairlead-go/fairlead/rule/yaml"
)

// run is one play of the script.
type run struct {
	limits bool
	begin  time.Time

	mu       sync.Mutex // guards what follows
	ready    int        // clients
	calls    []called
	inHand   map[string]int     // by process
	pressure map[string]float64 // by process
	moments  []moment
}

// moment is how the processes are.
type moment struct {
	at       time.Duration
	inHand   int     // at all servers
	pressure float64 // the highest that one of them reads
}

// hear takes in what a child says.
func (r *run) hear(w word) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.Ready {
		r.ready++
		return
	}
	r.calls = append(r.calls, w.Calls...)
	r.inHand[w.From], r.pressure[w.From] = w.InHand, w.Pressure
	if r.begin.IsZero() {
		return
	}
	now := moment{at: time.Since(r.begin)}
	for from, n := range r.inHand {
		now.inHand += n
		now.pressure = max(now.pressure, r.pressure[from])
	}
	r.moments = append(r.moments, now)
}

// play starts all that takes part, and plays the script.
func (s *stage) run(ctx context.Context, limits bool) (*run, error) {
	r := &run{limits: limits, inHand: map[string]int{}, pressure: map[string]float64{}}
	store, err := localetcd.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := apply(ctx, store.Endpoint(), limits); err != nil {
		return nil, err
	}
	var all []*child
	defer func() {
		for _, c := range all {
			c.kill()
		}
	}()
	start := func(id string, client bool) error {
		c, err := spec{ID: id, Client: client, Etcd: store.Endpoint(), Limits: limits, Verbose: s.verbose}.start(r.hear)
		if err == nil {
			all = append(all, c)
		}
		return err
	}
	for n := range servers {
		if err := start(fmt.Sprint("server-", n+1), false); err != nil {
			return nil, err
		}
	}
	for n := range clients {
		if err := start(fmt.Sprint("client-", n+1), true); err != nil {
			return nil, err
		}
	}
	if err := r.await(ctx); err != nil {
		return nil, err
	}
	return r, s.watch(ctx, r, all[servers:])
}

// apply is what the operator does, as fairlead rules apply.
func apply(ctx context.Context, endpoint string, limited bool) error {
	text := document
	if limited {
		text += limits
	}
	policy, err := yaml.Decode([]byte(text))
	if err != nil {
		return err
	}
	operator, err := etcd.NewOperator(etcd.Config{Client: clientv3.Config{Endpoints: []string{endpoint}}})
	if err != nil {
		return err
	}
	defer operator.Close()
	_, _, err = operator.PutRules(ctx, policy, 0, etcd.Note{})
	return err
}

// await waits until all clients can begin.
func (r *run) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		r.mu.Lock()
		ready := r.ready
		r.mu.Unlock()
		if ready == clients {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("the clients do not come about: %w", ctx.Err())
}

// watch has the clients play the script, and shows it.
func (s *stage) watch(ctx context.Context, r *run, clients []*child) error {
	begin := time.Now().Add(100 * time.Millisecond)
	r.mu.Lock()
	r.begin = begin
	r.mu.Unlock()
	text, err := begin.MarshalText()
	if err != nil {
		return err
	}
	for _, c := range clients {
		if _, err := fmt.Fprintf(c.stdin, "%s\n", text); err != nil {
			return err
		}
	}
	ended := make(chan error, 1)
	go func() { // ends with the clients
		for _, c := range clients {
			if err := <-c.heard; err != nil {
				ended <- err
			}
			c.heard <- nil // for kill
		}
		ended <- nil
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tell(r)
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
