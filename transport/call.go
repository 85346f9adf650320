package transport

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
)

// Call is one call as the core sees it. A door fills in the exported fields
// and passes the same Call to both halves; the rest is the ledger of its
// attempts. It is used by one goroutine at a time and for one call only.
type Call struct {
	Service  string
	Method   string // low-cardinality: "GET", "/orders.Orders/Get"
	Protocol discovery.Protocol
	// Idempotent says that executing the call twice is the same as once.
	Idempotent bool
	// Stream says that the call's length is the application's doing, so that
	// it is not taken for the instance's latency.
	Stream bool
	// WaitForReady says that the call waits, within its context, until there is
	// an instance to go to, instead of failing at once.
	WaitForReady bool
	// Probe says that it is nobody's call and only asks whether there is an
	// instance: no rules hold for it.
	Probe bool
	// Key names what the call is about, for policies that look at it.
	Key string
	// Request shows the call to the conditions of rules. nil: they see Method
	// and Key only.
	Request rule.Request

	service *service
	// What the rules say of the call, settled once.
	decided   bool
	table     *rule.Table // nil: nothing
	route     *rule.RouteTable
	narrowing rule.Narrowing
	bits      uint64             // that chose the destination, until the first pick; 0: none
	pin       string             // the only instance it may go to
	release   context.CancelFunc // of the timeout that the rules set; may be nil

	now    time.Duration // when Do let it pass, for the pick right after; 0: not known
	tried  [mostTried]*balancer.Node
	picks  int  // every pick, also those that a door's own library made
	tries  int  // attempts that Do made
	last   bool // no attempt follows this one
	traced bool // at level Full
	mirror bool // it is a copy
	sent   bool // something of one of them may have reached a server
	span   trace.Span
}

// mostTried bounds the ledger; gRPC's transparent retries may add picks to our
// attempts.
const mostTried = retry.MostAttempts + 3

// note writes a pick into the ledger.
func (c *Call) note(n *balancer.Node) {
	if c.picks < len(c.tried) {
		c.tried[c.picks] = n
	}
	c.picks++
}

// was reports whether an attempt of this call went to the node already.
func (c *Call) was(n *balancer.Node) bool {
	return slices.Contains(c.tried[:min(c.picks, len(c.tried))], n)
}

// Instance returns the ID of the instance that the last attempt went to, or "".
func (c *Call) Instance() string {
	if last := min(c.picks, len(c.tried)) - 1; last >= 0 {
		return c.tried[last].ID()
	}
	return ""
}

// narrowed reports whether rules say which instances the call may go to.
func (c *Call) narrowed() bool { return c.table != nil && c.pin == "" }

// Release frees what bounds the call's time. A door calls it when the answer
// that Do let it hand out has come to its end; Do has done so where it returned
// an error. More than once does nothing.
func (c *Call) Release() {
	if c.release != nil {
		c.release()
	}
}

// Attempts returns how many attempts were sent to an instance so far.
func (c *Call) Attempts() int { return c.picks }
