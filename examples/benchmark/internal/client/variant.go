// Package client has the ways to make the calls that are compared.
package client

import (
	"context"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/transport"
)

// Caller is a client that is ready to call.
type Caller struct {
	// Worker returns what one goroutine calls with: it makes one call and checks
	// the answer.
	Worker func() func(context.Context) error
	Close  func() error
}

// Dialer prepares a client for the instances of an assignment.
type Dialer func(Assignment) (Caller, error)

// variant is one way to make the calls, over the protocols it is for.
type variant struct {
	name    string
	dialers map[string]Dialer
}

// variants is the table of all.
func variants() []variant {
	return []variant{
		{"plain", map[string]Dialer{scenario.HTTP1: plainHTTP}},
		{"round-robin", map[string]Dialer{scenario.GRPC: roundRobinGRPC}},
		{"fairlead-off", map[string]Dialer{scenario.HTTP1: fairleadHTTP(transport.Off), scenario.GRPC: fairleadGRPC(transport.Off)}},
		{"fairlead-metrics", map[string]Dialer{scenario.HTTP1: fairleadHTTP(transport.Metrics), scenario.GRPC: fairleadGRPC(transport.Metrics)}},
		{"fairlead-full", map[string]Dialer{scenario.HTTP1: fairleadHTTP(transport.Full), scenario.GRPC: fairleadGRPC(transport.Full)}},
	}
}

// Base is the variant that the others of a protocol are compared with.
func Base(protocol string) string {
	if protocol == scenario.GRPC {
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

// Dial returns the Dialer of a variant, or nil if it does not speak the
// protocol.
func Dial(name, protocol string) Dialer {
	for _, v := range variants() {
		if v.name == name {
			return v.dialers[protocol]
		}
	}
	return nil
}

// forAll is a worker for callers whose workers share all they have.
func forAll(call func(context.Context) error) func() func(context.Context) error {
	return func() func(context.Context) error { return call }
}
