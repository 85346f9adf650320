package fleet

import (
	"context"
	"maps"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// Calls counts the unary calls that a process makes to etcd. It is safe for
// concurrent use.
type Calls struct {
	mu    sync.Mutex // guards all below
	now   int
	count CallCount
}

// CallCount is what was counted.
type CallCount struct {
	Total int
	Most  int            // at one time
	Codes map[string]int // by gRPC status
}

// Count returns what was counted so far.
func (c *Calls) Count() CallCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := c.count
	count.Codes = maps.Clone(count.Codes)
	return count
}

func (c *Calls) intercept(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
	c.mu.Lock()
	c.now++
	c.count.Total++
	c.count.Most = max(c.count.Most, c.now)
	c.mu.Unlock()
	err := next(ctx, method, req, reply, conn, options...)
	c.mu.Lock()
	c.now--
	if c.count.Codes == nil {
		c.count.Codes = map[string]int{}
	}
	c.count.Codes[status.Code(err).String()]++
	c.mu.Unlock()
	return err
}
