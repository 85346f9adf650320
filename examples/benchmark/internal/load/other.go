//go:build !linux

package load

import "time"

// Usage knows nothing: only Linux tells a Go program of other processes. The
// report says what is missing.
func Usage(int) (cpu time.Duration, resident int64, err error) { return 0, 0, nil }

// Busy knows nothing, either.
func Busy(time.Duration) (share float64, known bool) { return 0, false }
