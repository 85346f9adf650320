// Package scenario says what is called and how hard.
package scenario

import "fmt"

// Scenario is what is called and how hard: all that two variants must have in
// common to be compared.
type Scenario struct {
	Protocol    string `json:"protocol"`
	Payload     int    `json:"payload"`     // bytes, in either direction
	Concurrency int    `json:"concurrency"` // calls in flight
	Handler     string `json:"handler"`     // what the server does
	Deadline    string `json:"deadline"`    // of each call
}

// The protocols.
const (
	HTTP1      = "http1"
	HTTP2      = "http2" // without TLS
	GRPC       = "grpc"
	GRPCStream = "grpc-stream"
)

// The handlers.
const (
	Thin  = "thin"  // echoes
	Heavy = "heavy" // works for a millisecond of CPU, then echoes
	Chain = "chain" // each of ten servers calls the next, the last one echoes
)

// None is no deadline.
const None = "none"

// Title names it.
func (s Scenario) Title() string {
	return fmt.Sprintf("%s, %d B, concurrency %d, %s handler, deadline %s", s.Protocol, s.Payload, s.Concurrency, s.Handler, s.Deadline)
}

// InFlight is how many calls a client must be ready to have in flight. When they
// arrive by themselves, more may come together than Concurrency says.
func (s Scenario) InFlight() int { return max(s.Concurrency, 64) }
