// Client calls the HTTP service of examples/http/server, wherever its
// instances are:
//
//	go run ./examples/http/client -etcd 127.0.0.1:2379
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

func main() {
	endpoints := flag.String("etcd", "127.0.0.1:2379", "comma-separated `endpoints` of etcd")
	flag.Parse()
	if err := run(strings.Split(*endpoints, ",")); err != nil {
		log.Fatal(explain(err))
	}
}

func run(endpoints []string) error {
	mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: endpoints}})
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())

	// The client of an existing program, and the one line that it gains.
	client := &http.Client{}
	client.Transport = fairhttp.New(mesh, client.Transport)

	// A signal cancels what is in flight. A deadline costs less in a context
	// than as Timeout of the http.Client.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()

	for id := range 3 {
		if err := call(ctx, client, http.MethodGet, fmt.Sprintf("mesh://orders/orders/%d", id), ""); err != nil {
			return err
		}
	}

	// What is said of a call goes into its context. Replacing an order twice is
	// the same as once, so fairlead may try again where it cannot know whether
	// the first attempt was executed; of GET it knows by itself. The key says
	// which calls belong together, for policies that keep them on one instance.
	ctx = transport.WithCall(ctx, transport.Idempotent(true), transport.Key("customer-7"))
	return call(ctx, client, http.MethodPut, "mesh://orders/orders/1", "a lamp")
}

// call knows nothing of fairlead.
func call(ctx context.Context, client *http.Client, method, url, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, url, resp.Status)
	}
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

// explain tells an answer of the server's, which is no error to an
// http.Client, from a call that got none.
func explain(err error) string {
	e, ok := errors.AsType[*transport.Error](err)
	switch {
	case !ok:
		return err.Error()
	case e.MaybeExecuted:
		return fmt.Sprintf("%s may have done it, instance %s did not answer: %v", e.Service, e.Instance, err)
	default:
		return fmt.Sprintf("%s has surely not done it, failed at stage %q: %v", e.Service, e.Stage, err)
	}
}
