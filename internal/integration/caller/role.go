package caller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/child"
	"github.com/fairlead-go/fairlead/internal/integration/dnstest"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
	"github.com/fairlead-go/fairlead/internal/integration/wallclock"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Role is the child that is a caller.
var Role = child.Role{Name: "caller", Run: run}

// caller is the child.
type caller struct {
	settings Settings
	mesh     *transport.Mesh
	door     *fairhttp.Transport
	channel  *grpc.ClientConn
	registry fleet.Calls
	log      lines
	recorder *recorder
	load     *load
}

func run(raw []byte, ready func(any)) error {
	c := &caller{}
	slog.SetDefault(slog.New(&c.log))
	if err := json.Unmarshal(raw, &c.settings); err != nil {
		return err
	}
	var err error
	if c.settings.Clock {
		if err := wallclock.Take(); err != nil {
			return err
		}
	}
	if c.recorder, err = newRecorder(c.settings); err != nil {
		return err
	}
	constructed, err := c.open()
	if err != nil {
		return err
	}
	c.load = newLoad(c.settings, c.sender(), c.recorder)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stopped := make(chan struct{})
	ready(about{Control: l.Addr().String(), Constructed: constructed})
	server := &http.Server{Handler: c.control(stopped)}
	go server.Serve(l)
	<-stopped
	return server.Shutdown(context.Background())
}

// open makes the client as a program would, with the recorder in between.
func (c *caller) open() (took time.Duration, err error) {
	config, err := c.settings.Registry.Config(&c.registry)
	if err != nil {
		return 0, err
	}
	var opener transport.Opener = published{config, c.recorder}
	if server := c.settings.DNS; server != "" {
		opener = resolved{discovery.DNSConfig{
			Name: SRVName, Resolver: dnstest.Resolver(server), Interval: 2 * time.Second,
		}, c.recorder}
	}
	c.recorder.saved(c.settings)
	began := time.Now()
	if c.mesh, err = transport.Open(opener, c.options()...); err != nil {
		return 0, err
	}
	var door fairhttp.Config
	if c.settings.TLS != (etcdtest.Files{}) {
		if door.TLS, err = c.settings.TLS.Client(); err != nil {
			return 0, err
		}
	}
	if c.settings.Protocol == fleet.HTTP2 {
		door.Protocols = new(http.Protocols)
		door.Protocols.SetUnencryptedHTTP2(true)
	}
	if c.door, err = door.Transport(c.mesh, nil); err != nil {
		return 0, err
	}
	c.channel, err = grpc.NewClient("mesh:///"+c.settings.Service,
		append(fairgrpc.DialOptions(c.mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	return time.Since(began), err
}

// sender speaks what was asked for.
func (c *caller) sender() sender {
	if c.settings.Protocol == fleet.GRPC {
		return overGRPC(grpc_testing.NewTestServiceClient(c.channel))
	}
	return overHTTP(c.settings, &http.Client{Transport: c.door})
}

func (c *caller) options() []transport.Option {
	return []transport.Option{
		transport.WithPolicy(balancer.PolicyFunc(c.recorder.policy)),
		transport.WithSnapshotDir(c.settings.Snapshots),
		transport.WithReach(discovery.Reach{Loopback: true}), // DNS does not say that it is local
		transport.WithTelemetry(transport.Full),
		transport.WithTracerProvider(tracers{}),
	}
}

// control is how the parent commands.
func (c *caller) control(stopped chan<- struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/learn", func(w http.ResponseWriter, r *http.Request) {
		if err := c.learn(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/load", func(http.ResponseWriter, *http.Request) { c.load.start() })
	mux.HandleFunc("/pace", func(w http.ResponseWriter, r *http.Request) {
		rate, err := strconv.ParseFloat(r.FormValue("rate"), 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.load.pace.set(rate)
	})
	mux.HandleFunc("/rest", func(http.ResponseWriter, *http.Request) {
		c.load.stop()
		c.door.CloseIdleConnections()
	})
	mux.HandleFunc("/starve", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("for"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		starve(d)
	})
	mux.HandleFunc("/jump", wallclock.Serve)
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(c.status()) })
	mux.HandleFunc("/measure", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		json.NewEncoder(w).Encode(c.status())
	})
	mux.HandleFunc("/stop", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.stop(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		close(stopped)
	})
	return mux
}

// learn waits for the first live list that names somebody.
func (c *caller) learn(ctx context.Context) error {
	views, err := c.mesh.Views(ctx, c.settings.Service)
	if err != nil {
		return err
	}
	for v := range views {
		if v.Snapshot.State == discovery.Live && len(v.Nodes) > 0 {
			return nil
		}
	}
	return context.Cause(ctx)
}

// stop ends in the order in which a program would, and closes the history.
func (c *caller) stop() error {
	c.load.stop()
	c.recorder.settle()
	end := history.End{Started: c.load.started.Load(), Due: c.load.pace.wanted(), Outstanding: map[string]int{}}
	for _, s := range c.mesh.Dump().Services {
		for _, n := range s.Instances {
			end.Outstanding[n.ID] = n.Stats.Outstanding
		}
	}
	if err := errors.Join(c.channel.Close(), c.door.Close()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := c.mesh.Close(ctx); err != nil {
		return fmt.Errorf("mesh: %w", err)
	}
	return c.recorder.writer.Close(end)
}

func (c *caller) status() any {
	usage, door := readUsage(), c.door.State()
	return struct {
		Dump                      transport.Dump
		Registry                  fleet.CallCount
		Started, Failed, InFlight int64
		Goroutines                int
		CPU                       time.Duration
		RSS                       int64
		Replays, Renewals, Logged int64
		Warnings                  []string
	}{
		c.mesh.Dump(), c.registry.Count(),
		c.load.started.Load(), c.load.failed.Load(), c.load.inFlight.Load(),
		runtime.NumGoroutine(), usage.cpu, usage.rss, door.Replays, door.Renewals, c.log.n.Load(), c.log.warned(),
	}
}
