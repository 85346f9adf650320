package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/child"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
	"github.com/fairlead-go/fairlead/internal/loopback"
)

// Fleet is the instances of one service, those that are gone too. Its methods
// are for one goroutine, except where they say otherwise.
type Fleet struct {
	t        testing.TB
	dir      string // of the executions
	registry Registry
	service  string
	// host is where all listen: a record of a dead instance must not lead to
	// somebody who was given its port.
	host string
	work time.Duration
	All  []*Instance

	// TLS is the identity of the instances that are started from now on; zero:
	// they speak plaintext.
	TLS etcdtest.Files
	// Protocol is what they speak, besides HTTP/1 with the test.
	Protocol Protocol
	// MaxAge is after how long they ask callers to leave a connection, as servers
	// behind balancers do: GOAWAY, or Connection: close. 0: never.
	MaxAge time.Duration
	// Next is a service that they call, in the same registry, before they answer. Its
	// error is theirs.
	Next string
	// Workers is how many calls each works on at a time, while the others wait for as
	// long as it takes; 0: any number.
	Workers int
	// Admission has them take on only what they can do, as rules say.
	Admission bool
	// Clock makes their wall clocks such that can jump.
	Clock bool
}

// Protocol is what an instance speaks.
type Protocol string

// The protocols.
const (
	HTTP1 Protocol = ""
	HTTP2 Protocol = "http2" // without TLS, from the first byte
	GRPC  Protocol = "grpc"
)

// Instance is one process.
type Instance struct {
	*child.Process
	ID, Addr string
	settings settings
	control  string // address
}

// New returns a fleet without instances. Each works for so long on each call.
func New(t testing.TB, r Registry, service string, work time.Duration) *Fleet {
	return &Fleet{t: t, dir: t.TempDir(), registry: r, service: service, host: loopback.Host(), work: work}
}

// Start starts n instances, named i0, i1 and so on through the life of the
// fleet, and waits until they listen. They register by themselves.
func (f *Fleet) Start(n int) []*Instance {
	f.t.Helper()
	started := make([]*Instance, n)
	for i := range started {
		started[i] = f.prepare(f.registry)
	}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i, instance := range started {
		all.Go(func() { errs[i] = instance.start() })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			f.t.Fatal(err)
		}
	}
	return started
}

// StartVia starts one instance that reaches etcd in a way of its own.
func (f *Fleet) StartVia(r Registry) *Instance {
	f.t.Helper()
	i := f.prepare(r)
	if err := i.start(); err != nil {
		f.t.Fatal(err)
	}
	return i
}

// StartBehind starts one instance that others reach over link only.
func (f *Fleet) StartBehind(link *tcpproxy.Proxy) *Instance {
	f.t.Helper()
	i := f.prepare(f.registry)
	i.settings.Announced = link.Addr()
	if err := i.start(); err != nil {
		f.t.Fatal(err)
	}
	link.Target(i.Addr)
	return i
}

func (f *Fleet) prepare(r Registry) *Instance {
	id := fmt.Sprintf("i%d", len(f.All))
	i := &Instance{ID: id, settings: settings{
		Registry: r, Service: f.service, ID: id, Host: f.host, Work: f.work, Executions: filepath.Join(f.dir, id), TLS: f.TLS,
		Protocol: f.Protocol, MaxAge: f.MaxAge, Next: f.Next, Workers: f.Workers, Admission: f.Admission, Clock: f.Clock,
	}}
	f.All = append(f.All, i)
	f.t.Cleanup(i.kill)
	return i
}

func (i *Instance) start() (err error) {
	var a about
	i.Process, err = child.Run(Role.Name, i.settings, &a)
	i.Addr, i.control = a.Addr, a.Control
	return err
}

func (i *Instance) kill() {
	if i.Process != nil {
		i.Kill()
	}
}

// Host is where all listen.
func (f *Fleet) Host() string { return f.host }

// Executions are the files in which the instances wrote what they executed.
func (f *Fleet) Executions() []string {
	var paths []string
	for _, i := range f.All {
		paths = append(paths, i.settings.Executions)
	}
	return paths
}

// Running are the instances whose processes run.
func (f *Fleet) Running() []*Instance {
	var running []*Instance
	for _, i := range f.All {
		if i.Process != nil && i.Process.Running() {
			running = append(running, i)
		}
	}
	return running
}

// Terminate asks the instance to leave and waits until it is gone. It returns
// how it ended. It may be called from any goroutine.
func (i *Instance) Terminate(within time.Duration) error {
	if err := i.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err, ended := i.Wait(within)
	if !ended {
		return fmt.Errorf("%s has not ended after %s", i.ID, within)
	}
	return err
}

// Status asks the instance, which has no TLS, how it is. It may be called from any goroutine.
func (i *Instance) Status(ctx context.Context) (s Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.control+"/status", nil)
	if err != nil {
		return s, err
	}
	req.Close = true // leave nothing behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// Service is what they are instances of.
func (f *Fleet) Service() string { return f.service }
