package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Server is one listening server. The doors make one of an [net/http.Server]
// or a gRPC server.
type Server interface {
	// Endpoint is what others call, known before Serve.
	Endpoint() discovery.Endpoint
	// Serve accepts until Shutdown, and returns nil if that is why it ended.
	Serve() error
	// Shutdown stops accepting and waits for what is in flight, until ctx is
	// done; what is left is then cut off.
	Shutdown(ctx context.Context) error
}

// ServeConfig says how [Serve] comes and goes. The zero value is good.
type ServeConfig struct {
	// Ready is asked every ReadyInterval whether the instance can work. It is
	// announced with the first nil, drained and withdrawn after Fall errors in
	// a row, and announced again after Rise times nil. It has to end with its context. A
	// nil Ready is always ready. See [TCPCheck], [AllReady] and the checks of
	// the doors.
	Ready         func(context.Context) error
	ReadyInterval time.Duration // 0: 1 s
	Fall, Rise    int           // 0: 1
	// AnnounceInterval is the least time from one announcement to the next,
	// whatever Ready says: it bounds what an instance that flaps writes to the
	// registry. 0: 5 s.
	AnnounceInterval time.Duration
	// Grace is how long the instance goes on serving after its own watch has
	// shown it draining, so that the slowest caller hears of it too. 0: 2 s.
	Grace time.Duration
	// DeleteGrace is the same after its record is deleted, for readers that do
	// not know of draining. 0: 500 ms.
	DeleteGrace time.Duration
	// ShutdownTimeout bounds the wait for what is in flight. 0: 30 s.
	ShutdownTimeout time.Duration
	// RegistryTimeout bounds each wait for the registry on the way out: a dead
	// registry must not keep a process alive. 0: 5 s.
	RegistryTimeout time.Duration
	// Signals end Serve as a done context does. nil: SIGTERM and SIGINT; empty:
	// none. A second signal acts as if there were no Serve.
	Signals []os.Signal
}

// Validate reports a negative number as a [discovery.FieldError].
func (c ServeConfig) Validate() error {
	for _, f := range [...]struct {
		name string
		d    time.Duration
	}{
		{"ReadyInterval", c.ReadyInterval}, {"AnnounceInterval", c.AnnounceInterval}, {"Grace", c.Grace}, {"DeleteGrace", c.DeleteGrace},
		{"ShutdownTimeout", c.ShutdownTimeout}, {"RegistryTimeout", c.RegistryTimeout},
	} {
		if f.d < 0 {
			return &discovery.FieldError{Field: "ServeConfig." + f.name, Value: f.d, Allowed: "0 (meaning the default) or more"}
		}
	}
	if n := min(c.Fall, c.Rise); n < 0 {
		return &discovery.FieldError{Field: "ServeConfig.Fall or Rise", Value: n, Allowed: "0 (meaning 1) or more"}
	}
	return nil
}

func (c ServeConfig) withDefaults() ServeConfig {
	for d, standard := range map[*time.Duration]time.Duration{
		&c.ReadyInterval: time.Second, &c.AnnounceInterval: 5 * time.Second, &c.Grace: 2 * time.Second, &c.DeleteGrace: 500 * time.Millisecond,
		&c.ShutdownTimeout: 30 * time.Second, &c.RegistryTimeout: 5 * time.Second,
	} {
		if *d == 0 {
			*d = standard
		}
	}
	c.Fall, c.Rise = max(c.Fall, 1), max(c.Rise, 1)
	if c.Signals == nil {
		c.Signals = []os.Signal{syscall.SIGTERM, os.Interrupt}
	}
	return c
}

// Serve runs servers as one instance of a service until ctx is done, a signal
// comes, a server fails or the registry refuses the instance. It announces the
// instance once it is ready, at the servers' endpoints unless the instance
// names its own. On the way out nobody who calls it sees an error:
//
//  1. it announces that it is draining,
//  2. waits until its own watch shows that, and Grace,
//  3. deletes its record, and waits DeleteGrace,
//  4. stops accepting and finishes what is in flight.
//
// The registry's lease ends with the mesh, which the caller closes after.
// Serve returns nil after an orderly end.
func Serve(ctx context.Context, m *Mesh, instance discovery.Instance, config ServeConfig, servers ...Server) error {
	if err := config.Validate(); err != nil {
		return err
	}
	config = config.withDefaults()
	if len(instance.Endpoints) == 0 {
		for _, s := range servers {
			instance.Endpoints = append(instance.Endpoints, s.Endpoint())
		}
	}
	instance = instance.Normalize(time.Now())
	if err := instance.Validate(); err != nil {
		return err
	}
	if _, ok := m.registry.(discovery.Registrar); !ok {
		return ErrNoRegistrar
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if len(config.Signals) > 0 {
		var restore context.CancelFunc
		ctx, restore = signal.NotifyContext(ctx, config.Signals...)
		context.AfterFunc(ctx, restore)
	}

	var running sync.WaitGroup // one goroutine per server, ended by Shutdown
	failures := make([]error, len(servers))
	for i, s := range servers {
		running.Go(func() {
			if err := s.Serve(); err != nil {
				failures[i] = fmt.Errorf("serve %s at %s: %w", s.Endpoint().Protocol, s.Endpoint().Addr, err)
			}
			stop() // also where the application itself ended the server
		})
	}
	a := announcer{mesh: m, instance: instance, config: config}
	refused := a.keep(ctx)
	stop()
	a.leave()
	err := shutdown(config.ShutdownTimeout, servers)
	running.Wait()
	return errors.Join(append(failures, refused, err)...)
}

func shutdown(timeout time.Duration, servers []Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		all.Go(func() { errs[i] = s.Shutdown(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}
