package faults_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

// Many instances, and many who read of them.

// bystander is the record of an instance that speaks only what these calls do
// not speak, of about the size of a real one.
func bystander(n int) (key string, put clientv3.Op, remove clientv3.Op) {
	id := fmt.Sprintf("b%05d", n)
	key = etcd.DefaultPrefix + "instances/" + service + "/" + id
	addr := fmt.Sprintf("127.%d.%d.1:9000", 100+n/250, n%250)
	return key, clientv3.OpPut(key, fmt.Sprintf(
		`{"Op":0,"Addr":%q,"Metadata":{"id":%q,"service":%q,"static":true,"endpoints":[{"protocol":"grpc","addr":%q}],"meta":{"note":%q}}}`,
		addr, id, service, addr, strings.Repeat("x", 250))), clientv3.OpDelete(key)
}

// bystanders writes or deletes those from one number to another.
func (s *scene) bystanders(from, to int, there bool) {
	s.Helper()
	ops := make([]clientv3.Op, 0, 100)
	for n := from; n < to; n++ {
		_, put, remove := bystander(n)
		if there {
			ops = append(ops, put)
		} else {
			ops = append(ops, remove)
		}
		if len(ops) == cap(ops) || n == to-1 {
			if _, err := s.store.Txn(s.Context()).Then(ops...).Commit(); err != nil {
				if s.Context().Err() == nil {
					s.Error(err)
				}
				return
			}
			ops = ops[:0]
		}
	}
}

// flapping: ten thousand instances, of which a thousand come or go each second.
// Those that stay notice nothing, and neither do calls.
var flapping = row{
	number: 33, fault: "10,000 instances, 10 % flapping", heavy: true,
	setup: func(s *scene) {
		s.usual()
		s.bystanders(0, etcd.DefaultMaxInstances-instances, true)
		s.begin(s.via(s.callerLink), etcd.DefaultMaxInstances)
		s.sleep(s.scale.outage / 2)
		before := s.caller.Measure()
		s.sleep(s.scale.outage / 2) // the same without the flapping, to compare with
		s.before = s.caller.Measure()
		s.idle = (s.before.CPU - before.CPU).Seconds() / (s.scale.outage / 2).Seconds()
		s.connections = s.accepted()
	},
	inject: func(s *scene) {
		s.stopped = make(chan struct{})
		s.flapper.Go(func() { s.flap() })
	},
	hold: func(s *scene) {
		began := time.Now()
		s.sleep(s.scale.outage)
		middle := s.caller.Measure()
		s.sleep(s.scale.outage)
		end := s.caller.Measure()
		cpu := (end.CPU-s.before.CPU).Seconds()/time.Since(began).Seconds() - s.idle
		s.figure("cores for the flapping", cpu)
		s.figure("RSS ratio", float64(end.RSS)/float64(middle.RSS))
		if !race && cpu > 0.2*slack {
			s.Errorf("the flapping takes %.2f cores, allowed are 0.2 and slack", cpu)
		}
		if !race && end.RSS > middle.RSS*6/5 {
			s.Errorf("RSS grew from %d to %d", middle.RSS, end.RSS)
		}
		fresh := s.accepted() - s.connections
		s.figure("fresh connections", fresh)
		// A few are made where calls pile up for a moment; if lists closed them, nearly
		// each call would make one.
		if most := int64(s.scale.rate*time.Since(began).Seconds()) / 4; fresh > most {
			s.Errorf("%d connections were made to instances that stayed, allowed are %d", fresh, most)
		}
	},
	heal: func(s *scene) {
		close(s.stopped)
		s.flapper.Wait()
	},
	recovered: func(s *scene) {
		s.within(0, "all of them", s.sees(etcd.DefaultMaxInstances))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.neverFewer(instances)
		told, longest := 0, time.Duration(0)
		for _, p := range s.history.Publications {
			if p.At > s.history.Moment(s.broken) && p.At < s.history.Moment(s.mended) {
				told++
				longest = max(longest, p.Took)
			}
		}
		s.figure("longest swap", longest)
		s.figure("lists per second", float64(told)/s.mended.Sub(s.broken).Seconds())
		if most := 10*s.mended.Sub(s.broken).Seconds() + 1; float64(told) > most {
			s.Errorf("%d lists in %s, allowed are %.0f", told, s.mended.Sub(s.broken), most)
		}
	},
}

// flap lets a hundred instances go each tenth of a second, and come back in the
// next second, until it is stopped; then all are there.
func (s *scene) flap() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	there := true
	for n := 0; ; n = (n + 1) % 10 {
		select {
		case <-tick.C:
		case <-s.stopped:
			s.bystanders(0, 1000, true)
			return
		}
		if n == 0 {
			there = !there
		}
		s.bystanders(n*100, n*100+100, there)
	}
}

// accepted counts the connections that the instances accepted, but those that
// ask for it.
func (s *scene) accepted() int64 {
	s.Helper()
	n := s.all(func(is fleet.Status) int64 { return is.Connections })
	if s.protocol == fleet.GRPC { // those are asked at another address
		return n
	}
	s.asked += int64(len(s.fleet.Running()))
	return n - s.asked
}

// relisting: a hundred clients find an etcd that is back and has other things
// to tell, all at the same moment.
var relisting = row{
	number: 34, fault: "100 clients list at once", heavy: true,
	setup: func(s *scene) {
		s.etcd = etcdtest.Start(s)
		s.store = s.etcd.Client(s)
		s.bystanders(0, 2000, true)
		s.readers = make([]*reader, 100)
		for i := range s.readers {
			s.readers[i] = s.reader()
		}
		s.within(0, "a hundred live lists", func() bool { return s.listed(0) == len(s.readers) })
	},
	inject: func(s *scene) {
		if _, err := s.store.Put(s.Context(), "any", "thing"); err != nil { // so that all have to list again
			s.Fatal(err)
		}
		s.etcd.Kill()
		s.within(0, "a hundred stale lists", func() bool {
			stale := 0
			for _, r := range s.readers {
				if r.state.Load() == int64(discovery.Stale) {
					stale++
				}
			}
			return stale == len(s.readers)
		})
	},
	hold: func(s *scene) {},
	heal: func(s *scene) { s.etcd.Restart(s); s.mended = time.Now() },
	recovered: func(s *scene) {
		slowest := time.Duration(0)
		s.figure("slowest of all after", s.within(5*time.Second+relist, "a hundred fresh lists", func() bool {
			began := time.Now()
			if _, err := s.store.Get(s.Context(), "any"); err != nil {
				s.Fatal(err)
			}
			slowest = max(slowest, time.Since(began))
			return s.listed(1) == len(s.readers)
		}))
		s.figure("slowest answer of etcd", slowest)
		if slowest > slack*time.Second {
			s.Errorf("meanwhile etcd took %s for a read", slowest)
		}
	},
	check: func(s *scene) {
		for _, r := range s.readers {
			if n := r.registry.Inspect().Watches[0].Lists; n != 2 {
				s.Errorf("a client read its list %d times, want twice", n)
			}
		}
	},
}

// reader is one of the many clients.
type reader struct {
	registry *etcd.Registry
	state    atomic.Int64 // a discovery.State
}

func (s *scene) reader() *reader {
	s.Helper()
	registry, err := etcd.New(etcd.Config{
		Client: clientv3.Config{Endpoints: []string{s.etcd.Endpoint()}},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		s.Fatal(err)
	}
	r := &reader{registry: registry}
	var watching sync.WaitGroup
	watching.Go(func() {
		for snapshot := range registry.Watch(s.Context(), service) {
			r.state.Store(int64(snapshot.State))
		}
	})
	s.Cleanup(func() {
		watching.Wait() // the context of the test is done
		registry.Close(s.Context())
	})
	return r
}

// listed counts the readers whose list is live and was read so many times again.
func (s *scene) listed(again int) (n int) {
	for _, r := range s.readers {
		if r.state.Load() == int64(discovery.Live) && r.registry.Inspect().Watches[0].Lists > again {
			n++
		}
	}
	return n
}
