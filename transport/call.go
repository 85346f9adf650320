package transport

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/deadline"
	"github.com/fairlead-go/fairlead/ratelimit"
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
	// AnswersInParts says that an answer begins before it is whole, as the header
	// of HTTP comes before the body. The time of an attempt then ends with the
	// beginning, of which the door tells by Began.
	AnswersInParts bool
	// WaitForReady says that the call waits, within its context, until there is
	// an instance to go to, instead of failing at once.
	WaitForReady bool
	// Probe says that it is nobody's call and only asks whether there is an
	// instance: no rules hold for it.
	Probe bool
	// Priority says how important the call is. Rules may say otherwise, unless code
	// did, see [Priority].
	Priority ratelimit.Priority
	// Origin is the service that the call was for before it was sent to another in
	// its place; "": it was not.
	Origin string
	// Key names what the call is about, for policies that look at it.
	Key string
	// Request shows the call to the conditions of rules. nil: they see Method
	// and Key only.
	Request rule.Request

	progress

	turn int // attempts of this service and any before
	// Both are accessed atomically, from the first attempt on; before, calls are copied.
	ended  int32 // the last turn whose answer has come to its end
	handed int32 // the turn whose answer is handed out; 0: Do has not returned
}

// progress is what is known of a call beyond what its door says. It begins anew where
// the call is redirected. Small fields stand together: every call allocates it.
type progress struct {
	service *service
	// What the rules, and code, say of the call, settled once.
	table     *rule.Table // nil: nothing
	route     *rule.RouteTable
	narrowing rule.Narrowing
	plan      *plan
	method    *method            // nil: what it takes is not looked at
	key       string             // that code gave
	bits      uint64             // that chose the destination, until the first pick; 0: none
	pin       string             // the only instance it may go to, as code said
	only      *balancer.Node     // the only one this attempt may go to; nil: any
	release   context.CancelFunc // of what else bounds its time: of the service that it was redirected from, or of a race; may be nil
	timed     *deadline.Context  // the timeout that the rules set, for Release; may be nil

	now        time.Duration // read by clock, for what follows at once; 0: it waited since
	tried      ledger
	race       *race          // while a second attempt may be on its way
	node       *balancer.Node // of the last pick
	span       trace.Span
	began      *deadline.Context  // of the attempt, where its time ends with the beginning of the answer
	endAttempt context.CancelFunc // ends the context of the last attempt; may be nil
	held       permits            // in limits of concurrency
	picks      int                // every pick, also those that a door's own library made
	tries      int                // attempts that Do made

	decided     bool // what the rules say is settled
	tolerance   rule.FaultTolerance
	tolerated   bool               // code said that of this call
	declared    bool               // code said of this call whether it is idempotent
	idempotent  bool               // it is only by the rules
	prioritized bool               // code said of this call how important it is
	given       ratelimit.Priority // its priority before the rules
	redirected  bool               // to another service, since its own failed
	failed      bool               // what there is to hand out is a failure
	replied     bool               // the error is the service's answer, and no failure of it
	ruled       bool               // the rules set a timeout, and it comes before the caller's
	last        bool               // no attempt follows this one
	follows     bool               // it is a copy, or a second attempt: what is counted by call was
	traced      bool               // at level Full
	sent        bool               // something of one of them may have reached a server
}

// Instance returns the ID of the instance that the last attempt went to, or "".
func (c *Call) Instance() string {
	if c.node == nil {
		return ""
	}
	return c.node.ID()
}

// narrowed reports whether rules say which instances the call may go to.
func (c *Call) narrowed() bool { return c.table != nil && c.pin == "" }

// clock is read once for all that is done without waiting.
func (c *Call) clock() time.Duration {
	if c.now == 0 {
		c.now = balancer.Now()
	}
	return c.now
}

// Turn numbers the attempts of a call, from 1 on, also across the services that it
// was redirected to. A door keeps it for [Call.Ended].
func (c *Call) Turn() int { return c.turn }

// Ended is told by a door that the answer of an attempt has come to its end, which
// may be before Do returns, and at the same time. What bounds the call's time is
// freed if that is the answer which is handed out, as soon as Do has returned; an
// answer in whose place another came says nothing.
func (c *Call) Ended(turn int) {
	for {
		last := atomic.LoadInt32(&c.ended)
		if int32(turn) <= last || atomic.CompareAndSwapInt32(&c.ended, last, int32(turn)) {
			break
		}
	}
	if atomic.LoadInt32(&c.handed) == int32(turn) {
		c.Release()
	}
}

// hand notes that the answer of the last attempt is the one that is handed out.
func (c *Call) hand() {
	atomic.StoreInt32(&c.handed, int32(c.turn))
	if atomic.LoadInt32(&c.ended) >= int32(c.turn) {
		c.Release()
	}
}

// Release frees what bounds the call's time, and its places in limits. A door calls
// it once it has done with the answer that Do let it hand out, where it does not use
// [Call.Ended]; Do has done so where it returned an error. More than once does
// nothing.
func (c *Call) Release() {
	if c.endAttempt != nil {
		c.endAttempt()
	}
	if c.timed != nil {
		c.timed.Release()
	}
	if c.release != nil {
		c.release()
	}
	c.held.release(c.Priority)
}

// Holds reports whether the call has places in limits, which it keeps until
// Release or Ended. Doors of streams ask it.
func (c *Call) Holds() bool { return c.held.holds() }

// Attempts returns how many attempts were sent to an instance so far.
func (c *Call) Attempts() int { return c.picks }

// Tries returns the number of the attempt that is being made, from 1 on. It is 0
// for a call that did not come through Do.
func (c *Call) Tries() int { return c.tries }

// Failed reports whether the answer that Do let the door hand out is a failure of
// the service.
func (c *Call) Failed() bool { return c.failed }

// Replied reports whether the error that Do returned is the service's own answer and
// no failure of it, as NOT_FOUND is over gRPC. There is no fallback for that.
func (c *Call) Replied() bool { return c.replied }
