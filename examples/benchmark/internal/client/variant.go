// Package client has the ways to make the calls that are compared.
//
// Like stands against like: all variants of a protocol send the same request, with
// the same header, and check the answer in the same way. Their transports have the
// same settings, which fit the load. None speaks TLS or writes a log.
package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/transport"
)

// Caller is a client that is ready to call.
type Caller struct {
	// Worker returns what one goroutine calls with: it makes one call and checks
	// the answer. Where the protocol is a stream, that lives in the context of the
	// call which opened it.
	Worker func() func(context.Context) error
	Close  func() error
}

// Dialer prepares a client for the instances of an assignment.
type Dialer func(Assignment) (Caller, error)

// variant is one way to make the calls.
type variant struct {
	name string
	http func(Assignment) (httpClient, error) // over HTTP/1.1 and HTTP/2; nil: it does not speak it
	grpc func(Assignment) (grpcClient, error) // unary calls and streams; nil: it does not speak it
	// governed says that calls get their time from a rule, not from a context.
	governed bool
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

// closers end what a client holds, the first one first.
type closers []func() error

func (c closers) Close() error {
	var errs []error
	for _, end := range c {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// variants is the table of all.
func variants() []variant {
	return []variant{
		{name: "plain", http: plainHTTP, grpc: pickFirst},
		{name: "round-robin", grpc: roundRobinGRPC},
		fairlead("fairlead-off", transport.Off, ""),
		fairlead("fairlead-metrics", transport.Metrics, ""),
		fairlead("fairlead-full", transport.Full, ""),
		fairlead("fairlead-all", transport.Metrics, everything),
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
	for _, v := range variants() {
		if v.name != Base(scenario.HTTP1) && v.name != Base(scenario.GRPC) {
			names = append(names, v.name)
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

// Dial returns the Dialer of a variant, or nil if it does not speak the
// protocol.
func Dial(name, protocol string) Dialer {
	for _, v := range variants() {
		if v.name != name {
			continue
		}
		switch protocol {
		case scenario.HTTP1, scenario.HTTP2:
			if v.http != nil {
				return v.overHTTP
			}
		case scenario.GRPC, scenario.GRPCStream:
			if v.grpc != nil {
				return v.overGRPC
			}
		}
	}
	return nil
}

// within bounds each call.
func within(time time.Duration, call func(context.Context) error) func(context.Context) error {
	if time == 0 {
		return call
	}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time)
		defer cancel()
		return call(ctx)
	}
}
