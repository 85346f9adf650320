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
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Role is the child that is an instance.
var Role = child.Role{Name: "instance", Run: serve}

// CallHeader carries the key of a call, AddrHeader the address of the instance
// that answers.
const (
	CallHeader = "Call"
	AddrHeader = "Addr"
)

// settings are what an instance is told.
type settings struct {
	Registry   Registry
	Service    string
	ID         string
	Host       string         // to listen on
	Work       time.Duration  // on each call
	Executions string         // file of the calls it executed
	TLS        etcdtest.Files // zero: plaintext
}

// about is what an instance says when it listens.
type about struct{ Addr string }

// Status is what an instance knows of itself.
type Status struct {
	Dump        Dump
	Registry    CallCount
	Connections int64 // accepted so far
}

// instance is the business: it takes its time and says who did it.
type instance struct {
	settings
	mesh        *transport.Mesh
	registry    Calls
	executions  *os.File
	behaviour   atomic.Pointer[Behaviour]
	connections atomic.Int64
}

// serve is the child. It ends in order after SIGTERM.
func serve(raw []byte, ready func(any)) error {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var i instance
	if err := json.Unmarshal(raw, &i.settings); err != nil {
		return err
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
	var identity *tls.Config
	if i.TLS != (etcdtest.Files{}) {
		own, err := tls.LoadX509KeyPair(i.TLS.Cert, i.TLS.Key)
		if err != nil {
			return err
		}
		identity = &tls.Config{Certificates: []tls.Certificate{own}}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/behave", i.behave)
	mux.HandleFunc("/status", i.status)
	mux.HandleFunc("/", i.work)
	return fairhttp.Serve(context.Background(), i.mesh, &http.Server{
		Addr: net.JoinHostPort(i.Host, "0"), Handler: mux, TLSConfig: identity, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(l net.Listener) context.Context {
			ready(about{l.Addr().String()})
			return context.Background()
		},
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				i.connections.Add(1)
			}
		},
	}, discovery.Instance{Service: i.Service, ID: i.ID})
}

func (i *instance) work(w http.ResponseWriter, r *http.Request) {
	b := i.behaviour.Load()
	if b.Fails {
		time.Sleep(b.Work)
		http.Error(w, i.ID+" is out of order", http.StatusInternalServerError)
		return
	}
	// One write each, so that a kill loses nothing.
	if _, err := i.executions.WriteString(r.Header.Get(CallHeader) + "\n"); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	time.Sleep(b.Work)
	w.Header().Set(AddrHeader, r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
	io.WriteString(w, i.ID)
}

func (i *instance) status(w http.ResponseWriter, _ *http.Request) {
	json.NewEncoder(w).Encode(struct {
		Dump        transport.Dump
		Registry    CallCount
		Connections int64
	}{i.mesh.Dump(), i.registry.Count(), i.connections.Load()})
}
