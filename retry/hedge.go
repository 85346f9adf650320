package retry

import "time"

// HedgeConfig says when a call that has no answer yet is sent a second time, to
// another instance: the first success counts, and the other is given up (Dean and
// Barroso, "The Tail at Scale", 2013). It is for calls that may be executed twice.
// The zero value is the default.
type HedgeConfig struct {
	// Percentile of the method's latency after which the second is sent, above 0
	// and below 1. 0: 0.95.
	Percentile float64
	// Delay is that time, where it is fixed. 0: the percentile says.
	Delay time.Duration
	// MinDelay is the least that the percentile makes of it. 0: 1 ms, as in
	// Finagle.
	MinDelay time.Duration
	// MaxExtra is how many may be sent to each call, on the average of the last
	// ten seconds. 0: 0.05.
	MaxExtra float64
}
