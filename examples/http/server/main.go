// Server is an HTTP service that clients find through etcd. Start several:
//
//	go run ./examples/http/server -etcd 127.0.0.1:2379
//
// On SIGTERM or Ctrl-C it leaves without a caller seeing an error.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

func main() {
	endpoints := flag.String("etcd", "127.0.0.1:2379", "comma-separated `endpoints` of etcd")
	addr := flag.String("addr", "127.0.0.1:0", "`address` to listen on")
	flag.Parse()
	if err := run(strings.Split(*endpoints, ","), *addr); err != nil {
		log.Fatal(err)
	}
}

func run(endpoints []string, addr string) error {
	mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: endpoints}})
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())

	instance := discovery.Instance{Service: "orders", ID: discovery.NewID(), Version: "v1"}
	srv := &http.Server{Addr: addr, Handler: handler(instance.ID)}

	// In place of srv.ListenAndServe(): it listens, registers, and on the way
	// out drains before it stops.
	return fairhttp.Serve(context.Background(), mesh, srv, instance)
}

func handler(instance string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "order %s, says instance %s\n", r.PathValue("id"), instance)
	})
	mux.HandleFunc("PUT /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		item, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "order %s is now %s, says instance %s\n", r.PathValue("id"), item, instance)
	})
	return mux
}
