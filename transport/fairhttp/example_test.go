package fairhttp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// startOrders runs a service in this process, for the examples to call.
func startOrders() (mesh *transport.Mesh, stop func()) {
	mesh, err := transport.New(new(discovery.Memory))
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s at %s", r.Method, r.URL.Path, r.Host)
	})}
	go srv.Serve(l) // ends with stop
	if _, err := mesh.Register(context.Background(), discovery.Addrs("orders", l.Addr().String())[0]); err != nil {
		log.Fatal(err)
	}
	return mesh, func() {
		mesh.Close(context.Background())
		srv.Close()
	}
}

// Any client becomes one of the mesh by its Transport.
func ExampleNew() {
	mesh, stop := startOrders()
	defer stop()

	client := &http.Client{Timeout: 10 * time.Second}
	client.Transport = fairhttp.New(mesh, client.Transport)

	resp, err := client.Get("mesh://orders/v1/orders/42")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body))
	// Output: 200 OK GET /v1/orders/42 at orders
}

// Generated clients know http:// only: their host is declared.
func ExampleConfig() {
	mesh, stop := startOrders()
	defer stop()

	rt, err := fairhttp.Config{
		Hosts:   []string{"orders"},
		Prewarm: 2,
	}.Transport(mesh, nil)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: rt}

	resp, err := client.Get("http://orders/v1/orders/42")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// Bad input is an error that names the field, the value and what is allowed.
func ExampleConfig_Validate() {
	fmt.Println(fairhttp.Config{Hosts: []string{"http://orders"}}.Validate())
	fmt.Println(fairhttp.Config{Prewarm: 1000}.Validate())
	// Output:
	// Config.Hosts[0] "http://orders" is invalid: allowed is the name of a service, and a port if its URLs have one
	// Config.Prewarm 1000 is invalid: allowed is 0 to 64
}

// A PUT whose connection is lost is made again if the caller says that it can
// be.
func ExampleTransport_RoundTrip_idempotent() {
	mesh, stop := startOrders()
	defer stop()
	client := &http.Client{Transport: fairhttp.New(mesh, nil)}

	ctx := transport.WithCall(context.Background(), transport.Idempotent(true))
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "mesh://orders/v1/orders/42", strings.NewReader("{}"))
	if err != nil {
		log.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A request to a service that is scaled to zero waits for its first instance,
// if it is told to and as long as it has time.
func ExampleTransport_RoundTrip_waitForReady() {
	mesh, err := transport.New(new(discovery.Memory)) // nobody
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close(context.Background())
	client := &http.Client{Transport: fairhttp.New(mesh, nil)}

	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	time.AfterFunc(time.Millisecond, func() { // somebody scales it up
		mesh.Register(context.Background(), discovery.Addrs("orders", srv.Listener.Addr().String())[0])
	})

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = transport.WithCall(ctx, transport.WaitForReady(true))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://orders/v1/orders/42", nil)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 404 Not Found
}

// What a request carries as baggage goes along to the services that its handler
// calls: the handler's context has it, and the client sends it on.
func ExampleHandler() {
	mesh, stop := startOrders()
	defer stop()
	client := &http.Client{Transport: fairhttp.New(mesh, nil)}

	shop := httptest.NewServer(fairhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lane, _ := transport.BaggageOf(r.Context(), "lane")
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "mesh://orders/", nil)
		if err != nil {
			log.Fatal(err)
		}
		resp, err := client.Do(req) // with "Baggage: lane=blue"
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		fmt.Fprintf(w, "%s, in lane %s", resp.Status, lane)
	})))
	defer shop.Close()

	req, err := http.NewRequest(http.MethodGet, shop.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Baggage", "lane=blue")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))
	// Output: 200 OK, in lane blue
}

// A server becomes an instance and leaves without a caller seeing an error.
func ExampleServe() {
	mesh, err := transport.New(new(discovery.Memory))
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close(context.Background())

	ctx, leave := context.WithCancel(context.Background())
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		leave() // in production it is SIGTERM that says so
	})}
	served := make(chan error)
	go func() {
		served <- fairhttp.Serve(ctx, mesh, srv, discovery.Instance{Service: "orders", Version: "v1"})
	}()

	client := &http.Client{Transport: fairhttp.New(mesh, nil)}
	for ctx.Err() == nil {
		if resp, err := client.Get("mesh://orders/"); err == nil {
			fmt.Println(resp.Status)
			resp.Body.Close()
		}
	}
	fmt.Println("left:", <-served)
	// Output:
	// 200 OK
	// left: <nil>
}

// A program that serves more than one listener, or that has to warm up, uses
// Server.
func ExampleServer() {
	mesh, err := transport.New(new(discovery.Memory))
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server, err := fairhttp.Server(&http.Server{}, l)
	if err != nil {
		log.Fatal(err)
	}

	ctx, leave := context.WithCancel(context.Background())
	config := transport.ServeConfig{
		Ready: func(context.Context) error { // a database, a cache, …
			leave()
			return nil
		},
		Grace: time.Millisecond, DeleteGrace: time.Millisecond,
		Signals: []os.Signal{},
	}
	err = transport.Serve(ctx, mesh, discovery.Instance{Service: "orders"}, config, server)
	fmt.Println(server.Endpoint().Protocol, err)
	// Output: http <nil>
}

// An instance that says of itself that it cannot work is noticed before a call
// finds out. What it is asked over, such as TLS, is said by the Config that the
// calls have.
func ExampleProber() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			http.Error(w, "no database", http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	registry, err := discovery.NewStatic(discovery.Addrs("orders", srv.Listener.Addr().String())...)
	if err != nil {
		log.Fatal(err)
	}
	mesh, err := transport.New(registry, transport.WithLogger(slog.New(slog.DiscardHandler)),
		transport.WithHealthCheck(balancer.HealthCheck{Interval: 100 * time.Millisecond}, fairhttp.Prober{Path: "/healthz"}))
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close(context.Background())

	client := &http.Client{Transport: fairhttp.New(mesh, nil)}
	resp, err := client.Get("mesh://orders/") // the first call begins it
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	for range time.Tick(time.Millisecond) {
		if health := mesh.Dump().Services[0].Health; health.Probes.Failed > 0 && health.Unwell > 0 {
			fmt.Println("unwell:", health.Unwell)
			break
		}
	}
	// Output: unwell: 1
}
