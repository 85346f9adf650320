// Package openloop makes calls at a steady rate, however long answers take, as
// callers do that do not know of each other. A loop that waits for answers would
// make fewer calls just when a service has trouble, and hide it.
package openloop

import (
	"context"
	"sync"
	"time"
)

// Run starts a call at every tick of a rate per second, on goroutines of their
// own, until ctx is done; then it waits for the last of them. Each call has its
// number, and a context that ends after the timeout and not with ctx.
func Run(ctx context.Context, rate int, timeout time.Duration, calls ...func(ctx context.Context, n int)) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	begin := time.Now()
	for n := 0; ; n++ {
		select {
		case <-time.After(time.Until(begin.Add(time.Duration(n) * time.Second / time.Duration(rate)))):
		case <-ctx.Done():
			return
		}
		for _, call := range calls {
			inFlight.Go(func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
				defer cancel()
				call(ctx, n)
			})
		}
	}
}
