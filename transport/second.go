package transport

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/fairlead-go/fairlead/balancer"
)

// secondly is the call as a second attempt is to see it.
func (c *Call) secondly(r *race) progress {
	return progress{
		service: c.service, decided: true, table: c.table, route: c.route, narrowing: c.narrowing,
		plan: c.plan, method: c.method, tolerance: c.tolerance, ruled: c.ruled, traced: c.traced,
		tries: c.tries + 1, follows: true, race: r,
	}
}

// join begins the second attempt. It runs in the goroutine of the timer.
func (r *race) join() {
	s, m := r.second.service, r.second.service.mesh
	r.mu.Lock()
	if r.over || r.ctx.Err() != nil {
		r.mu.Unlock()
		return
	}
	// It is asked under the lock, so that the call does not return meanwhile and its
	// caller use the request again. What cannot be sent twice, or nowhere else, costs
	// no budget.
	var hedge Hedge
	if r.elsewhere(s.course.Load()) {
		hedge = r.hedger.Hedge(mostHedgedBytes)
	}
	if hedge == nil || r.second.method.hedge.Withdraw(balancer.Now(), s.budgetOf(r.call.Priority)) != nil {
		r.mu.Unlock()
		s.counts.one(&s.counts.unhedged)
		return
	}
	ctx, end := context.WithCancelCause(r.ctx)
	call := hedge.Call()
	call.Service, call.Method, call.Protocol, call.Key = r.call.Service, r.call.Method, r.call.Protocol, r.call.Key
	call.Idempotent, call.AnswersInParts, call.Priority = true, r.call.AnswersInParts, r.call.Priority
	call.progress = r.second
	call.release = func() {
		end(nil)
		if r.adopted.Load() {
			r.call.Ended(r.turn)
		}
	}
	r.hedge, r.end = hedge, end
	r.mu.Unlock()

	s.counts.one(&s.counts.hedges)
	o, panicked := m.survived(ctx, call, hedge)

	r.mu.Lock()
	r.ended, r.came, r.panic = true, o, panicked
	lost := r.over
	if o.Class == Success && !lost {
		r.over, r.won = true, true
		r.endFirst(errHedged)
	}
	close(r.coming)
	r.mu.Unlock()
	if lost {
		r.lose()
	}
}

// survived makes the second attempt. A panic that comes out of it, of a base or an
// interceptor, is the call's, whose goroutine this is not; in this one nobody could
// recover it.
func (m *Mesh) survived(ctx context.Context, call *Call, hedge Hedge) (o Outcome, panicked any) {
	defer func() {
		if panicked = recover(); panicked != nil {
			m.logger.Error("fairlead: a second attempt panicked", "service", call.Service, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
		}
	}()
	return m.once(ctx, call, hedge), nil
}

// elsewhere reports whether there is anybody else to send the second attempt to. It is
// called with the lock held. Whether somebody is connected is found out later.
func (r *race) elsewhere(c *course) bool {
	choice := c.choice(r.call) // what that looks at stays as it is
	return choice != nil && (c.service.mesh.options.many || slices.ContainsFunc(choice.Eligible, func(n *balancer.Node) bool { return !slices.Contains(r.tried.all(), n) }))
}

// lose throws away what the second has obtained.
func (r *race) lose() {
	r.hedge.Lose()
	r.hedge.Call().Release()
}
