package main

import (
	"context"

	"github.com/fairlead-go/fairlead/transport"
)

// The protocols.
const (
	http1 = "http1"
	grpc1 = "grpc"
)

// caller is a client that is ready to call.
type caller struct {
	call  func(context.Context) error // makes one call and checks the answer
	close func() error
}

// dialer prepares a client for the instances of an assignment.
type dialer func(assignment) (caller, error)

// variant is one way to make the calls, over the protocols it is for.
type variant struct {
	name    string
	dialers map[string]dialer
}

// variants is the table of all.
func variants() []variant {
	return []variant{
		{"plain", map[string]dialer{http1: plainHTTP}},
		{"round-robin", map[string]dialer{grpc1: roundRobinGRPC}},
		{"fairlead-off", map[string]dialer{http1: fairleadHTTP(transport.Off), grpc1: fairleadGRPC(transport.Off)}},
		{"fairlead-metrics", map[string]dialer{http1: fairleadHTTP(transport.Metrics), grpc1: fairleadGRPC(transport.Metrics)}},
		{"fairlead-full", map[string]dialer{http1: fairleadHTTP(transport.Full), grpc1: fairleadGRPC(transport.Full)}},
	}
}

// base is the variant that the others of a protocol are compared with.
func base(protocol string) string {
	if protocol == grpc1 {
		return "round-robin"
	}
	return "plain"
}

// compared returns the names of the variants that are no base.
func compared() []string {
	var names []string
	for _, v := range variants() {
		if v.name != base(http1) && v.name != base(grpc1) {
			names = append(names, v.name)
		}
	}
	return names
}

// dial returns the dialer of a variant, or nil if it does not speak the
// protocol.
func dial(name, protocol string) dialer {
	for _, v := range variants() {
		if v.name == name {
			return v.dialers[protocol]
		}
	}
	return nil
}
