package retry

import "time"

// Envoy's defaults: 25 ms doubling to ten times that.
const (
	backoffBase = 25 * time.Millisecond
	backoffMost = 250 * time.Millisecond
)

// Backoff returns how long to wait before the nth attempt of a call (n counts
// from 1). The second goes to another instance and waits for nothing; the
// later ones wait with full jitter (Brooker, "Exponential Backoff And Jitter",
// AWS 2015), drawn from the 64 random bits.
func Backoff(n int, rand uint64) time.Duration {
	if n <= 2 {
		return 0
	}
	ceiling := min(backoffBase<<min(n-3, 8), backoffMost)
	return time.Duration((rand >> 32) * uint64(ceiling) >> 32)
}
