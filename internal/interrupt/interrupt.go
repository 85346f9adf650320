// Package interrupt is about what the end of a context cuts short: how to wait
// until then, and what to say of it.
package interrupt

import (
	"context"
	"fmt"
	"time"
)

// Pause waits for a time, and reports whether it came to its end before ctx did.
func Pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Err says why ctx is done: always with the context's own error, which callers look
// for, and with the cause that somebody gave, if there is one. It is nil while ctx
// is not done.
func Err(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}
