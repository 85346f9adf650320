package retry

import "time"

var epoch = time.Now()

// Now is the monotonic time since the process began, by which [Do] reads a Budget.
// Who uses the same one beside it reads the time here as well.
func Now() time.Duration { return time.Since(epoch) }
