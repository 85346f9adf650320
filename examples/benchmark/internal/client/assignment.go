package client

import (
	"fmt"
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

// Dial prepares the client of an assignment.
func (a Assignment) Dial() (Caller, error) {
	dial := Dial(a.Variant, a.Scenario.Protocol)
	if dial == nil {
		return Caller{}, fmt.Errorf("variant %q does not speak %s", a.Variant, a.Scenario.Protocol)
	}
	return dial(a)
}

// deadline is the time of each call; 0: it has all that it takes.
func (a Assignment) deadline() (time.Duration, error) {
	if a.Scenario.Deadline == "" || a.Scenario.Deadline == scenario.None {
		return 0, nil
	}
	d, err := time.ParseDuration(a.Scenario.Deadline)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("deadline %q: allowed are %s and durations above 0", a.Scenario.Deadline, scenario.None)
	}
	return d, nil
}
