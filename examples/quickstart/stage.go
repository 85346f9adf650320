package main

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/fairlead-go/fairlead/transport"
)

// openStore is the operator's client: it says nothing on its own and looks for
// an etcd that is gone more often than gRPC would.
func openStore(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints,
		Logger:    zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, MaxDelay: time.Second},
		})},
	})
}

// complete begins the watches and waits until each service has n instances.
func (s *stage) complete(ctx context.Context, n int) error {
	for _, d := range s.doors {
		if _, err := s.mesh.Views(ctx, d.service); err != nil {
			return err
		}
		if err := s.until(ctx, d.service+" has its instances", 20*time.Second, func() bool {
			return len(s.dump(d.service).Instances) >= n
		}); err != nil {
			return err
		}
	}
	return nil
}

// dump is what the client's mesh says of a service.
func (s *stage) dump(service string) transport.ServiceDump {
	for _, d := range s.mesh.Dump().Services {
		if d.Service == service {
			return d
		}
	}
	return transport.ServiceDump{}
}

// lists reports whether the client knows the instance.
func (s *stage) lists(service string, p *process) bool {
	for _, i := range s.dump(service).Instances {
		if i.ID == p.spec.ID {
			return true
		}
	}
	return false
}

// serving are the instances of a service whose process lives.
func (s *stage) serving(service string) []*process {
	var alive []*process
	for _, p := range s.fleet.of(service) {
		if p.alive() {
			alive = append(alive, p)
		}
	}
	return alive
}

// busy waits until some instance has calls of ours in flight.
func (s *stage) busy(ctx context.Context, service string) (victim *process, err error) {
	err = s.until(ctx, "an instance of "+service+" has calls in flight", 5*time.Second, func() bool {
		for _, i := range s.dump(service).Instances {
			for _, p := range s.serving(service) {
				if p.spec.ID == i.ID && i.Stats.Outstanding >= 2 {
					victim = p
				}
			}
		}
		return victim != nil
	})
	return victim, err
}

// lease asks etcd itself for the lease of an instance's record, 0 if it has
// none.
func (s *stage) lease(ctx context.Context, p *process) clientv3.LeaseID {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	answer, err := s.store.Get(ctx, instancePrefix+p.spec.Service+"/"+p.spec.ID)
	if err != nil || len(answer.Kvs) == 0 {
		return 0
	}
	return clientv3.LeaseID(answer.Kvs[0].Lease)
}

// registered reports whether etcd holds a leased record of each instance.
func (s *stage) registered(ctx context.Context, all []*process) bool {
	for _, p := range all {
		if s.lease(ctx, p) == 0 {
			return false
		}
	}
	return true
}
