package fleet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/child"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/wallclock"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Role is the child that is an instance.
var Role = child.Role{Name: "instance", Run: serve}

// settings are what an instance is told.
type settings struct {
	Registry   Registry
	Service    string
	ID         string
	Host       string         // to listen on
	Announced  string         // address; empty: where it listens
	Work       time.Duration  // on each call
	Executions string         // file of the calls it executed
	TLS        etcdtest.Files // zero: plaintext
	Protocol   Protocol
	MaxAge     time.Duration
	Next       string
	Workers    int
	Admission  bool
	Clock      bool
}

// about is what an instance says when it listens.
type about struct{ Addr, Control string }

// Status is what an instance knows of itself.
type Status struct {
	Dump        Dump
	Registry    CallCount
	Connections int64 // accepted so far
	Received    int64 // calls
	Failed      int64 // of them, by its behaviour
	Abandoned   int64 // calls that their callers took back while they were worked on
	InHand      int64 // calls that were received, and not answered
	MostInHand  int64 // so far
}

// instance is the business: it takes its time and says who did it.
type instance struct {
	settings
	mesh        *transport.Mesh
	admission   *transport.Admission // nil: all calls are taken on
	next        *http.Client         // of the service that is called; nil: there is none
	registry    Calls
	executions  *os.File
	behaviour   atomic.Pointer[Behaviour]
	connections atomic.Int64
	received    atomic.Int64
	failed      atomic.Int64
	abandoned   atomic.Int64
	workers     chan struct{} // nil: any number
	inHand      atomic.Int64
	mostInHand  atomic.Int64
}

// serve is the child. It ends in order after SIGTERM.
func serve(raw []byte, ready func(any)) error {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var i instance
	if err := json.Unmarshal(raw, &i.settings); err != nil {
		return err
	}
	if i.Clock {
		if err := wallclock.Take(); err != nil {
			return err
		}
	}
	i.behaviour.Store(&Behaviour{Work: i.Work})
	config, err := i.Registry.Config(&i.registry)
	if err != nil {
		return err
	}
	if i.executions, err = os.OpenFile(i.Executions, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	defer i.executions.Close()
	if i.mesh, err = transport.Open(config); err != nil {
		return err
	}
	defer i.mesh.Close(context.Background()) // an error says that etcd is away
	if i.Workers > 0 {
		i.workers = make(chan struct{}, i.Workers)
	}
	if i.Admission {
		if i.admission, err = i.mesh.Admission(i.Service, transport.AdmissionConfig{}); err != nil {
			return err
		}
	}
	if i.Next != "" {
		door := fairhttp.New(i.mesh, nil)
		defer door.Close()
		i.next = &http.Client{Transport: door}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(i.Host, "0"))
	if err != nil {
		return err
	}
	if i.Protocol == GRPC {
		return i.serveGRPC(l, ready)
	}
	srv, err := i.server()
	if err != nil {
		return err
	}
	s, err := fairhttp.Server(srv, l)
	if err != nil {
		return err
	}
	ready(about{l.Addr().String(), l.Addr().String()})
	return i.run(discovery.HTTP, s)
}

// run serves as an instance of the service.
func (i *instance) run(p discovery.Protocol, s transport.Server) error {
	is := discovery.Instance{Service: i.Service, ID: i.ID}
	if i.Announced != "" {
		is.Endpoints = []discovery.Endpoint{{Protocol: p, Addr: i.Announced}}
	}
	return transport.Serve(context.Background(), i.mesh, is, transport.ServeConfig{}, s)
}

// server is that of HTTP.
func (i *instance) server() (*http.Server, error) {
	var identity *tls.Config
	if i.TLS != (etcdtest.Files{}) {
		own, err := tls.LoadX509KeyPair(i.TLS.Cert, i.TLS.Key)
		if err != nil {
			return nil, err
		}
		identity = &tls.Config{Certificates: []tls.Certificate{own}}
	}
	mux := i.control()
	mux.Handle("/", i.guarded(http.HandlerFunc(i.work)))
	srv := &http.Server{
		Handler: mux, TLSConfig: identity, ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, bornKey{}, time.Now())
		},
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				i.connections.Add(1)
			}
		},
	}
	if i.Protocol == HTTP2 {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true) // the test's
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	return srv, nil
}

// control is how the parent asks and commands.
func (i *instance) control() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/behave", i.behave)
	mux.HandleFunc("/status", i.status)
	mux.HandleFunc("/jump", wallclock.Serve)
	return mux
}

func (i *instance) status(w http.ResponseWriter, _ *http.Request) {
	json.NewEncoder(w).Encode(struct {
		Dump                                     transport.Dump
		Registry                                 CallCount
		Connections, Received, Failed, Abandoned int64
		InHand, MostInHand                       int64
	}{
		i.mesh.Dump(), i.registry.Count(), i.connections.Load(), i.received.Load(), i.failed.Load(), i.abandoned.Load(),
		i.inHand.Load(), i.mostInHand.Load(),
	})
}
