package transport

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/rule"
)

// Hedger is an [Attempt] whose call can be sent a second time while the first is
// on its way.
type Hedger interface {
	// Hedge returns the call once more, or nil if it cannot be sent twice at a
	// time: its body has more than most bytes or cannot be read twice, its answer
	// has a type that cannot be made anew. The second shares nothing with the
	// first that either of them writes to.
	Hedge(most int) Hedge
}

// Hedge is the second attempt of a race. After Try, one of Win and Lose is called.
type Hedge interface {
	Attempt
	// Call is the call as the second attempt sees it. The core fills it in.
	Call() *Call
	// Win makes what it obtained the answer of the call, in place of what the first
	// did.
	Win()
	// Lose throws away what it obtained.
	Lose()
}

// mostHedgedBytes bounds the body of a second attempt.
const mostHedgedBytes = 64 << 10

// errHedged is why an attempt was given up in favour of another.
var errHedged = errors.New("another attempt was faster")

// race is an attempt that a second may join. The first runs where the call does,
// so that a call which needs no second costs no goroutine; the second runs in that
// of its timer. Whoever succeeds first has won, and ends the other.
type race struct {
	ctx    context.Context // of the call
	call   *Call           // its goroutine's
	hedger Hedger
	// endFirst ends the first attempt. It is called by the second, once it has won.
	endFirst context.CancelCauseFunc
	// adopted says that the answer of the second is that of the call.
	adopted atomic.Bool
	turn    int // of the call, written before

	mu     sync.Mutex // guards what follows
	tried  ledger     // of both
	also   int        // picks of the second
	second progress   // as it is to begin
	over   bool       // one has won, or the first failed alone: none begins any more, and none wins
	won    bool       // the second has
	hedge  Hedge      // the second; nil: it has not begun
	end    context.CancelCauseFunc
	ended  bool    // the second has
	came   Outcome // if it has
	panic  any     // that came out of it; nil: none did
	coming chan struct{}
}

// hedger returns what makes the second attempt of a race, nil if there is to be
// none.
func (c *Call) hedger(attempt Attempt) Hedger {
	if c.plan.hedge == nil || c.method.hedge == nil || !c.Idempotent || c.Stream || c.pin != "" || c.tries >= c.plan.most || c.tolerance != rule.Failover && c.tolerance != rule.Available {
		return nil
	}
	h, _ := attempt.(Hedger)
	return h
}

// hedged makes an attempt, and another if that one takes long.
func (m *Mesh) hedged(ctx context.Context, call *Call, attempt Attempt, hedger Hedger, begun time.Duration) Outcome {
	method := call.method
	method.hedge.Start(begun, rand.Uint64())
	delay, ok := method.hedge.Delay(begun, method.latencies)
	if !ok {
		return m.timed(ctx, call, attempt, begun)
	}
	first, endFirst := context.WithCancelCause(ctx)
	r := &race{ctx: ctx, call: call, hedger: hedger, endFirst: endFirst, tried: call.tried, coming: make(chan struct{})}
	r.second = call.secondly(r)
	call.race = r
	timer := time.AfterFunc(delay, r.join)
	returned := false
	defer func() {
		if !returned { // it panicked, and nobody is left to take what the second obtains
			timer.Stop()
			endFirst(nil)
			r.mu.Lock()
			r.alone(call, Outcome{})
		}
	}()
	o := m.timed(first, call, attempt, begun)
	returned = true
	end := call.endAttempt
	call.endAttempt = func() {
		if end != nil {
			end()
		}
		endFirst(nil)
	}
	if !timer.Stop() {
		o = r.settle(call, o)
	}
	r.mu.Lock()
	call.tried, call.race = r.tried, nil
	call.picks += r.also
	r.mu.Unlock()
	return o
}

// settle says how the two ended, once the first has.
func (r *race) settle(call *Call, o Outcome) Outcome {
	r.mu.Lock()
	if r.hedge == nil || !r.won && (o.Class == Success || r.ctx.Err() != nil) {
		return r.alone(call, o)
	}
	call.tries++
	r.mu.Unlock()
	select {
	case <-r.coming:
	case <-r.ctx.Done():
	}
	r.mu.Lock()
	if !r.won {
		panicked := r.panic
		o = r.alone(call, o)
		if panicked != nil {
			panic(panicked) // where the call is made, as that of a first would be
		}
		return o
	}
	r.mu.Unlock()
	second := r.hedge.Call()
	call.node = second.node
	end, endSecond := call.endAttempt, second.endAttempt
	call.endAttempt = func() {
		end()
		if endSecond != nil {
			endSecond()
		}
		r.end(nil)
	}
	r.hedge.Win()
	call.turn++ // that of the second: what the first obtained has ended, or does yet
	r.turn = call.turn
	r.adopted.Store(true)
	second.hand()
	call.service.counts.one(&call.service.counts.hedgesWon)
	return r.came
}

// alone ends a race that the second has not won: it is given up, and the first
// has the word. It is called with the lock held, and lets go of it.
func (r *race) alone(call *Call, o Outcome) Outcome {
	r.over = true
	hedge, ended, came, also := r.hedge, r.ended, r.came, r.also
	r.mu.Unlock()
	if hedge == nil {
		return o
	}
	r.end(errHedged)
	if !ended { // it loses what it obtains by itself
		call.sent = call.sent || also > 0
		return o
	}
	r.lose()
	call.sent = call.sent || came.Sent
	if o.Class != Success { // either server may have asked to be left alone
		o.NoRetry, o.RetryAfter = o.NoRetry || came.NoRetry, max(o.RetryAfter, came.RetryAfter)
	}
	return o
}
