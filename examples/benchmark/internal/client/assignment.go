package client

import (
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// Assignment is all that a client process is told.
type Assignment struct {
	Variant          string
	Scenario         scenario.Scenario
	Addrs            []string // of the instances, or of a proxy: host:port or unix:/path
	Servers, Proxies []int    // processes whose CPU counts, too
	Warmup, Duration time.Duration
	// Rate is that of arrivals per second in an open loop after the closed one, as
	// long as Open; 0: there is none. Seed says when they arrive.
	Rate    float64
	Open    time.Duration
	Seed    uint64
	Profile string // file, "" for none
}
