package transport

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
)

// WithFaultTolerance sets what becomes of calls whose attempt failed: one of
// Dubbo's cluster modes, see [Tolerate]. The default is [rule.Failover]. Rules may
// say otherwise.
func WithFaultTolerance(t rule.FaultTolerance) Option { return func(o *options) { o.tolerance = t } }

// Tolerate says what becomes of the call if its attempt fails, whatever the rules
// say. The modes are those of Dubbo.
//
//   - [rule.Failover]: another attempt goes elsewhere, as retries say.
//   - [rule.Failfast]: no other attempt is made.
//   - [rule.Failsafe]: no other attempt is made either, and what fails counts as done:
//     over HTTP the answer is 204, over gRPC an empty reply.
//   - [rule.Broadcast]: the call goes to every instance that it could go to, one
//     after the other, without retries. It fails if one of them does, once all were
//     called; else the answer is that of the last.
//   - [rule.Available]: as Failover, but the first instance that is available gets
//     the call, by the order of their IDs, without balancing.
func Tolerate(t rule.FaultTolerance) CallOption { return func(s *settings) { s.tolerance = &t } }

// broadcast makes an attempt for each instance.
func (m *Mesh) broadcast(ctx context.Context, call *Call, attempt Attempt) error {
	choice := call.service.course.Load().choice(call)
	if choice == nil {
		return m.finish(ctx, call, m.once(ctx, call, attempt)) // it says why there is nobody
	}
	var last, first Outcome
	var instance string
	failed := 0
	for n, node := range choice.Nodes {
		if n > 0 {
			discard(attempt)
		}
		call.only = node
		call.tries++
		last = m.once(ctx, call, attempt)
		call.sent = call.sent || last.Sent
		if last.Class == Success {
			continue
		}
		if failed++; failed == 1 {
			first, instance = last, node.ID()
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failed == 0 {
		return m.finish(ctx, call, last)
	}
	discard(attempt)
	why := first.Err
	if why == nil {
		why = fmt.Errorf("it answered %d", first.Code)
	}
	return &Error{
		Stage: StageSend, Class: first.Class, Service: call.Service, Method: call.Method, Instance: instance,
		Attempts: call.picks, MaybeExecuted: call.sent, RetryAfter: first.RetryAfter,
		Err: fmt.Errorf("broadcast failed for %d of %d instances: %w", failed, len(choice.Nodes), why),
	}
}

// firstOf returns the first node, by its ID, that is accepted; nil if none is.
func firstOf(choice *balancer.Choice, accepts func(*balancer.Node) bool) *balancer.Node {
	if i := slices.IndexFunc(choice.Eligible, accepts); i >= 0 {
		return choice.Eligible[i]
	}
	return nil
}
