package caller

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// call is one that is under way.
type call struct {
	history.Call
	cancelled atomic.Int64 // when it was taken back, a time.Duration

	mu    sync.Mutex // guards all below, and what of Call is known in the end
	spans []*attempt
	open  int // of them
	over  bool
}

func (c *call) cancel(at time.Duration) { c.cancelled.Store(int64(at)) }

// pick says from which list the attempt that is beginning is served.
func (c *call) pick(list int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.spans); n > 0 && c.spans[n-1].is.Ends == 0 {
		c.spans[n-1].is.List = list
	}
}
