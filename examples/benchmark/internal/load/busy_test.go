package load

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestBusyTellsThatAllCoresWork(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not told by this system")
	}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup // until stop
	for range runtime.NumCPU() {
		work.Go(func() {
			for ctx.Err() == nil {
			}
		})
	}
	share, known := Busy(200 * time.Millisecond)
	stop()
	work.Wait()
	if !known || share < 0.5 || share > 1 {
		t.Errorf("%v (known: %v) of the machine works, want nearly all", share, known)
	}
}
