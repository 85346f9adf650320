package transport

import (
	"context"
	"time"
)

// lateness is how long after the time of a call was up a process notices that,
// before it has to look for the cause in itself (HashiCorp's Lifeguard, 2017,
// has the idea).
const lateness = 100 * time.Millisecond

// NoticedLate reports whether the time of ctx was up long ago. A door that ends
// an attempt with a timeout says so in [Outcome].Late: where a process is short
// of CPU, or was stopped, timeouts say nothing of the instances.
func NoticedLate(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Since(deadline) > lateness
}
