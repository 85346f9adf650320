package breaker

import "time"

// Config says when a breaker opens and how it closes again. The zero value is
// the default.
type Config struct {
	// Window is the time over which calls are counted, in ten parts that leave it
	// one after the other. 0: 10 s.
	Window time.Duration
	// MinRequests is how many calls the window must hold before a rate says
	// anything. 0: 20, as in Hystrix.
	MinRequests int
	// FailureRate is the share of failures that opens it. 0: 0.5, as in Hystrix
	// and resilience4j.
	FailureRate float64
	// ConsecutiveFailures is how many failures in a row open it, however few
	// calls there are. 0: any number is left to the rates.
	ConsecutiveFailures int
	// SlowCallDuration is how long a call may take before it counts as slow, as
	// in resilience4j. 0: none is slow.
	SlowCallDuration time.Duration
	// SlowCallRate is the share of slow calls that opens it. 0: 1, which is all.
	SlowCallRate float64
	// OpenFor is how long it rejects all calls before it lets one find out. 0: 3 s.
	OpenFor time.Duration
	// HalfOpenRequests is how many calls find out, and must succeed in a row for it
	// to close. 0: 1.
	HalfOpenRequests int
	// ProbeTimeout is how long one of those may take before another gets its
	// place. What it says later counts nonetheless, if nothing was decided
	// meanwhile. 0: 1 s.
	ProbeTimeout time.Duration
}

// Mode says whether a breaker is in charge of itself.
type Mode uint8

const (
	// Automatic: it opens and closes by what calls show.
	Automatic Mode = iota
	// Disabled: every call is let through, and none is counted.
	Disabled
	// ForcedOpen: every call is rejected.
	ForcedOpen
	// ObserveOnly: it opens and closes, and says so, but rejects nothing.
	ObserveOnly
)
