package caller

import (
	"runtime"
	"sync"
	"time"
)

// hogs is how many goroutines want the only core. The scheduler gives each up to
// 10 ms at a time, so that the others wait for most of a second.
const hogs = 50

// starve leaves the process one core and keeps that busy for so long.
func starve(d time.Duration) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	began := time.Now()
	var all sync.WaitGroup
	for range hogs {
		all.Go(func() {
			for time.Since(began) < d {
			}
		})
	}
	all.Wait()
}
