package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// names are the instances: light has half the weight of the others.
var names = []string{"a", "b", "c", "light"}

// stage is all that takes part. It is used by one goroutine.
type stage struct {
	out     io.Writer
	begin   time.Time
	servers map[string]*server
	pool    *balancer.Pool
	client  *client
	load    *load
	steps   []step
}

// run builds the stage, plays the script and clears up.
func run(ctx context.Context, out io.Writer, sabotage string) ([]step, error) {
	s := &stage{out: out, begin: time.Now(), servers: map[string]*server{}}
	var instances []discovery.Instance
	for _, name := range names {
		server, err := serve()
		if err != nil {
			return nil, err
		}
		defer server.close()
		s.servers[name] = server
		i := discovery.Instance{ID: name, Service: "cache", Addr: server.listener.Addr().String()}
		if name == "light" {
			i.Weight = 50
		}
		instances = append(instances, i)
	}
	registry, err := discovery.NewStatic(instances...)
	if err != nil {
		return nil, err
	}
	// Times are short, so that there is something to see within seconds.
	if s.pool, err = balancer.NewPool(balancer.PoolConfig{
		Reach: discovery.Reach{Loopback: true},
		Balancing: balancer.Balancing{
			Policy:           balancer.WeightedRoundRobin{}, // its shares are exact; the default looks at latency, too
			OutlierDetection: balancer.OutlierDetection{Off: sabotage == "detection", BaseEjectionTime: time.Second, MaxEjectionTime: time.Second},
			SlowStart:        balancer.SlowStart{Window: 3 * time.Second},
		},
	}); err != nil {
		return nil, err
	}
	s.client = &client{pool: s.pool, attempts: 2}
	defer s.client.idle.close()
	if sabotage == "retry" {
		s.client.attempts = 1
	}

	ctx, end := context.WithCancel(ctx)
	var ended sync.WaitGroup
	defer ended.Wait()
	defer end()
	ended.Go(func() { s.pool.Run(ctx, nil) })
	listed := make(chan struct{}, 1)
	ended.Go(func() {
		for snapshot := range registry.Watch(ctx, "cache") {
			s.client.idle.list(s.pool.Update(snapshot, balancer.Now()).Nodes)
			listed <- struct{}{}
		}
	})
	<-listed // a Static list comes once, and at once
	s.load = &load{client: s.client}
	ended.Go(func() { s.load.run(ctx) })
	return s.steps, s.play(ctx)
}

// say prints a line with the time since the beginning.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%5.1fs  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}

// outage returns why an instance is passed over, if it is.
func (s *stage) outage(name string) (balancer.Outage, bool) {
	for _, o := range s.pool.View().Outages {
		if o.Node.ID() == name {
			return o, true
		}
	}
	return balancer.Outage{}, false
}

// served counts the commands that each instance answered.
type served map[string]int64

func (s *stage) served() served {
	counts := served{}
	for name, server := range s.servers {
		counts[name] = server.served.Load()
	}
	return counts
}

func (c served) String() string {
	var text []string
	for _, name := range names {
		text = append(text, fmt.Sprintf("%s %d", name, c[name]))
	}
	return strings.Join(text, ", ")
}

// during lets some time pass and returns what each instance answered in it.
func (s *stage) during(ctx context.Context, d time.Duration) (served, error) {
	before := s.served()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	counts := s.served()
	for name := range counts {
		counts[name] -= before[name]
	}
	s.say("    %s", counts)
	return counts, nil
}

// until waits for something to come true, and reports whether it did.
func (s *stage) until(ctx context.Context, within time.Duration, is func() bool) bool {
	for end := time.Now().Add(within); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) || ctx.Err() != nil {
			return false
		}
	}
	return true
}
