package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/child"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// churned: a thousand clients come and go, and nothing of them stays.
var churned = row{
	number: 48, fault: "1,000 clients created and closed", heavy: true,
	setup: func(s *scene) { s.usual() },
	inject: func(s *scene) {
		report := filepath.Join(s.TempDir(), "report")
		p := child.Start(s, churnRole.Name, churn{Registry: s.via(s.callerLink), Rounds: 1000, Report: report}, new(struct{}))
		if err, ended := p.Wait(4 * time.Minute); err != nil || !ended {
			s.Fatalf("the clients have ended: %t, %v", ended, err)
		}
		text, err := os.ReadFile(report)
		if err != nil {
			s.Fatal(err)
		}
		var leak leftovers
		if err := json.Unmarshal(text, &leak); err != nil {
			s.Fatal(err)
		}
		s.figure("per client", time.Since(s.broken)/1000)
		if leak != (leftovers{Watches: 1, Readers: 100}) {
			s.Errorf("left after a thousand clients: %+v, want nothing; and one watch for the hundred of one registry", leak)
		}
	},
	hold:  func(s *scene) {},
	check: func(s *scene) {},
}

// churn is what the child is told.
type churn struct {
	Registry fleet.Registry
	Rounds   int
	Report   string // file
}

// leftovers is what it has found.
type leftovers struct {
	Goroutines, Files int // more than before
	Watches, Readers  int // of etcd, and of that, with a hundred clients of one registry
}

var churnRole = child.Role{Name: "churn", Run: func(settings []byte, ready func(any)) error {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var c churn
	if err := json.Unmarshal(settings, &c); err != nil {
		return err
	}
	ready(struct{}{})
	found, err := c.run()
	if err != nil {
		return err
	}
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Report, text, 0o600)
}}

func (c churn) run() (found leftovers, err error) {
	config, err := c.Registry.Config(new(fleet.Calls))
	if err != nil {
		return found, err
	}
	for range 10 { // what begins with the first use is no leak
		if err := once(config); err != nil {
			return found, err
		}
	}
	time.Sleep(time.Second)
	goroutines, files := counted()
	if err := c.all(config); err != nil {
		return found, err
	}
	for began := time.Now(); time.Since(began) < slack*time.Second; time.Sleep(10 * time.Millisecond) {
		g, f := counted()
		if found.Goroutines, found.Files = g-goroutines, f-files; found.Goroutines == 0 && found.Files == 0 {
			break
		}
	}
	found.Watches, found.Readers, err = shared(config)
	return found, err
}

// all lets the clients come and go, some at a time.
func (c churn) all(config etcd.Config) error {
	var next atomic.Int64
	var clients sync.WaitGroup
	errs := make([]error, 8)
	for n := range errs {
		clients.Go(func() {
			for next.Add(1) <= int64(c.Rounds) && errs[n] == nil {
				errs[n] = once(config)
			}
		})
	}
	clients.Wait()
	return errors.Join(errs...)
}

func counted() (goroutines, files int) {
	open, _ := os.ReadDir("/proc/self/fd")
	return runtime.NumGoroutine(), len(open)
}

// once is the life of a client that makes one call.
func once(config etcd.Config) error {
	mesh, err := transport.Open(config)
	if err != nil {
		return err
	}
	// The first list has its time, and who calls before that is told so.
	began := time.Now()
	for err = get(mesh); errors.Is(err, balancer.ErrNoInstances) && time.Since(began) < 30*time.Second; err = get(mesh) {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return mesh.Close(ctx)
}

func get(mesh *transport.Mesh) error {
	door := fairhttp.New(mesh, nil)
	defer door.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://"+service+"/", nil)
	if err != nil {
		return err
	}
	answer, err := door.RoundTrip(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// shared counts what a hundred clients of one registry need of etcd.
func shared(config etcd.Config) (watches, readers int, err error) {
	registry, err := etcd.New(config)
	if err != nil {
		return 0, 0, err
	}
	defer registry.Close(context.Background())
	for range 100 {
		mesh, err := transport.New(registry)
		if err != nil {
			return 0, 0, err
		}
		defer mesh.Close(context.Background())
		if err := get(mesh); err != nil {
			return 0, 0, err
		}
	}
	for _, w := range registry.Inspect().Watches {
		watches++
		readers += w.Readers
	}
	return watches, readers, nil
}
