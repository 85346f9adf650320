// Package client has the ways to make the calls that are compared.
//
// Like stands against like: all variants of a protocol send the same request, with
// the same header, and check the answer in the same way. Their transports have the
// same settings, which fit the load. None speaks TLS or writes a log.
package client

import (
	"net/http"

	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/transport"
)

// variant is one way to make the calls.
type variant struct {
	name string
	http func(Assignment, telemetry) (httpClient, error) // over HTTP/1.1 and HTTP/2; nil: it does not speak it
	grpc func(Assignment, telemetry) (grpcClient, error) // unary calls and streams
	// measured says that there is an SDK for what it measures, governed that calls
	// get their time from a rule and not from a context.
	measured, governed bool
}

// httpClient is what all calls of a variant go through.
type httpClient struct {
	transport http.RoundTripper
	scheme    string
	close     closers
}

// grpcClient is what all calls of a variant go through.
type grpcClient struct {
	conn  *grpc.ClientConn
	close closers
}

// variants is the table of all. Over HTTP plain is a round robin already.
func variants() []variant {
	return []variant{
		{name: "plain", http: plainHTTP, grpc: pickFirst},
		{name: "round-robin", grpc: roundRobinGRPC},
		{name: "otel", http: otelHTTP, grpc: otelGRPC, measured: true},
		{name: "usual-stack", http: usualHTTP, grpc: usualGRPC, measured: true},
		fairlead("fairlead-off", transport.Off, ""),
		fairlead("fairlead-metrics", transport.Metrics, ""),
		fairlead("fairlead-full", transport.Full, ""),
		fairlead("fairlead-all", transport.Metrics, everything),
		fairlead("fairlead-critical", transport.Metrics, critical()),
	}
}

// Base is the variant that the others of a protocol are compared with: what a
// program does to use all instances.
func Base(protocol string) string {
	if protocol == scenario.GRPC || protocol == scenario.GRPCStream {
		return "round-robin"
	}
	return "plain"
}

// Compared returns the names of the variants that are no base.
func Compared() []string {
	var names []string
	for _, name := range Names() {
		if name != Base(scenario.HTTP1) && name != Base(scenario.GRPC) {
			names = append(names, name)
		}
	}
	return names
}

// Names returns those of all variants.
func Names() []string {
	var names []string
	for _, v := range variants() {
		names = append(names, v.name)
	}
	return names
}
