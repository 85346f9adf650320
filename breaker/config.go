package breaker

import (
	"fmt"
	"time"
)

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
	// calls there are and however long ago they were. 0: any number is left to
	// the rates.
	ConsecutiveFailures int
	// SlowCallDuration is how long a call may take before it counts as slow, as
	// in resilience4j. 0: none is slow.
	SlowCallDuration time.Duration
	// SlowCallRate is the share of slow calls that opens it. 0: 1, which is all.
	SlowCallRate float64
	// OpenFor is how long it rejects all calls before it lets one find out. 0: 3 s.
	OpenFor time.Duration
	// HalfOpenRequests is how many calls find out, at once too, and must all succeed,
	// none of them slowly, for it to close. 0: 1.
	HalfOpenRequests int
	// ProbeTimeout is how long one of those may take before another gets its
	// place. What it says later counts nonetheless, if nothing was decided
	// meanwhile. 0: 1 s.
	ProbeTimeout time.Duration
}

// Validate reports a bad field, its value and what is allowed.
func (c Config) Validate() error {
	durations := []struct {
		field        string
		value, least time.Duration
		meaning      string
	}{
		{"Window", c.Window, 100 * time.Millisecond, "meaning 10s"},
		{"SlowCallDuration", c.SlowCallDuration, 1, "meaning that none is slow"},
		{"OpenFor", c.OpenFor, time.Millisecond, "meaning 3s"},
		{"ProbeTimeout", c.ProbeTimeout, time.Millisecond, "meaning 1s"},
	}
	for _, d := range durations {
		if d.value != 0 && (d.value < d.least || d.value > time.Hour) {
			return fmt.Errorf("breaker: Config.%s is %v: allowed is 0 (%s) or %v to 1h", d.field, d.value, d.meaning, d.least)
		}
	}
	numbers := []struct {
		field       string
		value, most int
		meaning     string
	}{
		{"MinRequests", c.MinRequests, 1_000_000, "meaning 20"},
		{"ConsecutiveFailures", c.ConsecutiveFailures, 1_000_000, "meaning any number"},
		{"HalfOpenRequests", c.HalfOpenRequests, 1000, "meaning 1"},
	}
	for _, n := range numbers {
		if n.value < 0 || n.value > n.most {
			return fmt.Errorf("breaker: Config.%s is %d: allowed is 0 (%s) to %d", n.field, n.value, n.meaning, n.most)
		}
	}
	if !(c.FailureRate >= 0 && c.FailureRate <= 1) {
		return fmt.Errorf("breaker: Config.FailureRate is %v: allowed is 0 (meaning 0.5) to 1", c.FailureRate)
	}
	if !(c.SlowCallRate >= 0 && c.SlowCallRate <= 1) {
		return fmt.Errorf("breaker: Config.SlowCallRate is %v: allowed is 0 (meaning 1) to 1", c.SlowCallRate)
	}
	if c.SlowCallRate != 0 && c.SlowCallDuration == 0 {
		return fmt.Errorf("breaker: Config.SlowCallRate is %v: allowed is 0 only, as SlowCallDuration is 0 and no call is slow", c.SlowCallRate)
	}
	return nil
}

// filled returns the Config with its defaults written out.
func (c Config) filled() Config {
	fill(&c.Window, 10*time.Second)
	fill(&c.MinRequests, 20)
	fill(&c.FailureRate, 0.5)
	fill(&c.SlowCallRate, 1)
	fill(&c.OpenFor, 3*time.Second)
	fill(&c.HalfOpenRequests, 1)
	fill(&c.ProbeTimeout, time.Second)
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
