// Proxy is a small proxy for calls, on fairlead itself:
//
//	go run ./examples/proxy -listen 127.0.0.1:8080 -to 127.0.0.1:9001,127.0.0.1:9002 -protocol grpc
//
// What fairlead does inside a client, it does here for those that cannot embed it, as a
// central mesh or on the way around (transport.WithGateway). examples/benchmark has it
// beside the proxies that people run in earnest. It is none of them: an example, without TLS.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/fairlead-go/fairlead/examples/internal/meshproxy"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`address`: host:port or unix:/path")
	to := flag.String("to", "", "comma-separated `addresses` of the upstreams, which take turns")
	protocol := flag.String("protocol", "http1", "http1, http2 (without TLS) or grpc, on both sides")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := meshproxy.Serve(ctx, *listen, *protocol, strings.Split(*to, ",")...); err != nil {
		log.Fatal(err)
	}
}
