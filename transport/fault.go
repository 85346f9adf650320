package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/internal/interrupt"
	"github.com/fairlead-go/fairlead/rule"
)

// StageFault is that of a call which a rule aborted on purpose.
const StageFault Stage = "fault"

// ErrInjected is wrapped by the error of a call that a rule aborted on purpose.
var ErrInjected = errors.New("fault injected by a rule")

// Injected is an abort that a rule asks for. The doors make of it what a server
// would have answered.
type Injected struct {
	HTTPStatus int
	GRPCStatus string // the name of the code
}

func (i *Injected) Error() string {
	return fmt.Sprintf("%v: HTTP status %d, gRPC status %s", ErrInjected, i.HTTPStatus, i.GRPCStatus)
}

// Unwrap returns ErrInjected.
func (i *Injected) Unwrap() error { return ErrInjected }

// suffer is stage 3: it delays the call, and fails it, as often as its route
// says.
func (m *Mesh) suffer(ctx context.Context, call *Call) error {
	s, fault := call.service, call.route.Fault
	if d := fault.Delay; d != nil && drawn(d.Percent) {
		s.counts.one(&s.counts.delayed)
		interrupt.Pause(ctx, time.Duration(d.FixedDelay))
		call.now = 0
	}
	a := fault.Abort
	if a == nil || ctx.Err() != nil || !drawn(a.Percent) {
		return nil
	}
	s.counts.one(&s.counts.aborted)
	injected := &Injected{HTTPStatus: a.HTTPStatus, GRPCStatus: a.GRPCStatus}
	if injected.HTTPStatus == 0 {
		injected.HTTPStatus = 503
	}
	if injected.GRPCStatus == "" {
		injected.GRPCStatus = "UNAVAILABLE"
	}
	return &Error{Stage: StageFault, Class: Failure, Service: call.Service, Method: call.Method, Err: injected}
}

// drawn reports for a share of calls that it is this one's turn.
func drawn(share rule.Percent) bool { return rand.IntN(100_00) < int(share) }
