package integration_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
	"github.com/fairlead-go/fairlead/transport"
)

// sharerRole is a process that calls orders under a limit which all share. Its
// calls go to nobody: what matters is whether they are let through.
const sharerRole = "sharer"

type sharerTask struct {
	Endpoint, Prefix, Snapshots string
	PerSecond                   float64 // calls that it makes, in an open loop
}

// slot is how finely calls are counted by the clock on the wall, which all processes
// have in common.
const slot = 100 * time.Millisecond

// sharer is what is in the process.
type sharer struct {
	mesh *transport.Mesh

	mu       sync.Mutex // guards all below
	admitted map[int64]int
	refused  int
	failed   int
	failure  string // the last
}

func share(task sharerTask) (worker.Answers, error) {
	mesh, err := transport.Open(etcd.Config{
		Client: clientv3.Config{Endpoints: []string{task.Endpoint}}, Prefix: task.Prefix, TTL: etcd.MinTTL, Logger: slog.New(slog.DiscardHandler),
	}, transport.WithLogger(slog.New(slog.DiscardHandler)), transport.WithSnapshotDir(task.Snapshots))
	if err != nil {
		return nil, err
	}
	s := &sharer{mesh: mesh, admitted: map[int64]int{}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for len(s.limits()) == 0 { // the first call makes the mesh ask for the rules
		if ctx.Err() != nil {
			return nil, errors.New("there is no shared limit")
		}
		s.call(ctx)
		time.Sleep(10 * time.Millisecond)
	}
	go s.load(task.PerSecond) // ends with the process
	return worker.Answers{
		"limits": worker.To(func(any) (any, error) { return s.limits(), nil }),
		"counts": worker.To(func(w window) (any, error) { return s.counts(w), nil }),
	}, nil
}

func (s *sharer) limits() []transport.SharedLimitDump {
	for _, d := range s.mesh.Dump().Services {
		if d.Service == "orders" {
			return d.SharedLimits
		}
	}
	return nil
}

// load makes calls until the process ends. Those that are late are made at once.
func (s *sharer) load(perSecond float64) {
	began := time.Now()
	for n := 0; ; n++ {
		time.Sleep(time.Until(began.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))))
		s.call(context.Background())
	}
}

func (s *sharer) call(ctx context.Context) {
	err := s.mesh.Do(ctx, &transport.Call{Service: "orders", Method: "Get", Protocol: discovery.HTTP}, nowhere{s.mesh})
	s.mu.Lock()
	defer s.mu.Unlock()
	var e *transport.Error
	switch {
	case err == nil:
		s.admitted[time.Now().UnixNano()/int64(slot)]++
	case errors.As(err, &e) && e.Stage == transport.StageLimit:
		s.refused++
	default:
		s.failed++
		s.failure = err.Error()
	}
}

// nowhere is an attempt that succeeds without going anywhere.
type nowhere struct{ mesh *transport.Mesh }

func (n nowhere) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	lease, err := n.mesh.Acquire(ctx, call, nil)
	if err != nil {
		return transport.Outcome{Err: err}
	}
	o := transport.Outcome{Class: transport.Success, Sent: true, Answered: true}
	lease.Done(o)
	return o
}

// window is a time on the clock on the wall.
type window struct{ From, To time.Time }

type callCounts struct {
	Admitted int // within the window
	Refused  int // ever
	Failed   int // ever
	Failure  string
}

func (s *sharer) counts(w window) callCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := callCounts{Refused: s.refused, Failed: s.failed, Failure: s.failure}
	for at, n := range s.admitted {
		if from := w.From.UnixNano() / int64(slot); at >= from && at < w.To.UnixNano()/int64(slot) {
			c.Admitted += n
		}
	}
	return c
}

// sharers are processes that share a limit.
type sharers struct {
	*testing.T
	task sharerTask
	all  []*worker.Process
}

func (s *sharers) start(perSecond float64) *worker.Process {
	s.Helper()
	task := s.task
	task.PerSecond = perSecond
	p, err := worker.Start(s.Context(), sharerRole, task)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(p.Kill)
	s.all = append(s.all, p)
	return p
}

func (s *sharers) kill(p *worker.Process) {
	p.Kill()
	s.all = slices.DeleteFunc(s.all, func(other *worker.Process) bool { return other == p })
}

// limit is what one of them says of the limit.
func (s *sharers) limit(p *worker.Process) transport.SharedLimitDump {
	s.Helper()
	var all []transport.SharedLimitDump
	if err := p.Ask(s.Context(), "limits", nil, &all); err != nil || len(all) != 1 {
		s.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

// rate lets time pass and returns how many calls per second were let through of all
// those who live now.
func (s *sharers) rate(what string, d time.Duration) (perSecond float64) {
	s.Helper()
	from := time.Now()
	during(s.T, d+slot)
	to := from.Add(d)
	refused, each := 0, []string{}
	for _, p := range s.all {
		var c callCounts
		if err := p.Ask(s.Context(), "counts", window{from, to}, &c); err != nil {
			s.Fatal(err)
		}
		if c.Failed > 0 {
			s.Errorf("%s: %d calls failed, such as: %s", what, c.Failed, c.Failure)
		}
		refused += c.Refused
		perSecond += float64(c.Admitted) / d.Seconds()
		each = append(each, fmt.Sprintf("%.1f", float64(c.Admitted)/d.Seconds()))
	}
	if refused == 0 {
		s.Errorf("%s: not a call was ever refused: nothing is shown", what)
	}
	s.Logf("%s: %.1f calls per second of %d processes: %v", what, perSecond, len(s.all), each)
	return perSecond
}
