package transport

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// Copier is an [Attempt] whose call can be made once more, for mirroring.
type Copier interface {
	// Copy returns an attempt that sends the call again and throws the answer
	// away, or nil if it cannot: it is a stream, or its body has more than most
	// bytes or cannot be read twice. The copy shares nothing with the call that
	// either of them writes to. It is asked before the call is sent.
	Copy(most int) Attempt
}

const (
	// mostMirrored bounds the copies on their way, of all services of a mesh.
	// One that comes beyond is not sent.
	mostMirrored = 100
	// mostMirroredBytes bounds the body of a copy.
	mostMirroredBytes = 64 << 10
	// mirrorTimeout bounds a copy whose route has no timeout.
	mirrorTimeout = 10 * time.Second
)

// mirror sends a copy of a call beside it, for as many calls as its route says.
// The call neither waits for it nor hears of it.
func (m *Mesh) mirror(ctx context.Context, call *Call, attempt Attempt) {
	if !drawn(call.route.Mirror.Percent) {
		return
	}
	s := call.service
	copier, ok := attempt.(Copier)
	if !ok {
		s.counts.one(&s.counts.unmirrored)
		return
	}
	select {
	case m.mirrors <- struct{}{}:
	default:
		s.counts.one(&s.counts.unmirrored)
		return
	}
	again := copier.Copy(mostMirroredBytes)
	if again == nil {
		<-m.mirrors
		s.counts.one(&s.counts.unmirrored)
		return
	}
	copied := &Call{
		Service: call.Service, Method: call.Method, Protocol: call.Protocol, Key: call.Key,
		Priority: ratelimit.Sheddable, // nobody waits for it
		progress: progress{
			service: s, decided: true, table: call.table, route: call.route, plan: call.plan, follows: true,
			narrowing: rule.Decision{Route: call.route, Narrowing: call.narrowing}.Mirrored(),
		},
	}
	go m.sendCopy(ctx, copied, again)
}

// sendCopy runs in a goroutine of its own, one of mostMirrored, for which Close
// waits.
func (m *Mesh) sendCopy(ctx context.Context, call *Call, attempt Attempt) {
	defer func() { <-m.mirrors }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(call.route.Timeout, mirrorTimeout))
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	attempt.Try(ctx, call)
	s := call.service
	if call.picks == 0 {
		s.counts.one(&s.counts.unmirrored)
		return
	}
	s.counts.one(&s.counts.mirrored)
}

// mirrorsEnded waits for all copies, and lets no other begin.
func (m *Mesh) mirrorsEnded(ctx context.Context) error {
	for range mostMirrored {
		select {
		case m.mirrors <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("fairlead: copies of calls have not ended: %w", context.Cause(ctx))
		}
	}
	return nil
}
