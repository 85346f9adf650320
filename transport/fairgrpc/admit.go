package fairgrpc

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// Refused is the trailer of a call that a server did not take on, see [Admit]. It says
// what kind of limit there is: "rate", "concurrency" or "deadline".
const Refused = "fairlead-refused"

// pushbackKey is the trailer that says when to try again (gRFC A6).
const pushbackKey = "grpc-retry-pushback-ms"

// Admit has a server take on only the calls that it can work on, as
// [transport.Admission] decides, the more important first (see [TrustPriority]). What
// is refused ends before its handler with
//
//   - RESOURCE_EXHAUSTED where too many calls come,
//   - UNAVAILABLE where too many are worked on,
//   - DEADLINE_EXCEEDED where the answer would come too late,
//
// with the trailer grpc-retry-pushback-ms of gRFC A6 where it is known when to come
// again, or that it is no use, and with [Refused]. Clients of this package count all
// of them as overload.
//
// A call is worked on until its handler returns, be it by a panic; a stream, too. How
// long a unary call took teaches a limit that learns, unless its client went away, and
// one that the handler ended with RESOURCE_EXHAUSTED counts as refused.
//
// By then gRPC has read the message of a unary call. That of a refused stream is not
// read.
func Admit(a *transport.Admission) ServerOption { return func(i *interceptor) { i.admission = a } }

// admit takes a call on, or returns what its client gets.
func (i *interceptor) admit(ctx context.Context, call transport.Arrival) (transport.Admitted, error) {
	call.Request = &arrived{ctx, call.Method}
	admitted, err := i.admission.Admit(ctx, call)
	if err != nil {
		return admitted, refuse(ctx, err)
	}
	return admitted, nil
}

// endOf says what the end of a unary call teaches.
func endOf(ctx context.Context, err error) transport.Class {
	code := status.Code(err)
	switch gone := ctx.Err(); {
	case errors.Is(gone, context.DeadlineExceeded):
		return transport.Timeout
	case gone != nil || int(code) >= len(verdicts):
		return transport.Neutral
	case code == codes.Unavailable: // whom it called, most likely
		return transport.Failure
	}
	return verdicts[code].answered
}

// refuse returns what the client of a call gets that was not taken on.
func refuse(ctx context.Context, err error) error {
	kind, code := "concurrency", codes.Unavailable
	switch {
	case errors.Is(err, ratelimit.ErrRate):
		kind, code = "rate", codes.ResourceExhausted
	case errors.Is(err, transport.ErrNoTime), errors.Is(err, context.DeadlineExceeded):
		kind, code = "deadline", codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	}
	trailer := metadata.Pairs(Refused, kind)
	if is, ok := errors.AsType[*transport.Refusal](err); code == codes.DeadlineExceeded {
		trailer[pushbackKey] = []string{"-1"} // no more time will be left
	} else if ok && is.RetryAfter > 0 {
		ms := (is.RetryAfter + time.Millisecond - 1) / time.Millisecond
		trailer[pushbackKey] = []string{strconv.FormatInt(int64(ms), 10)}
	}
	_ = grpc.SetTrailer(ctx, trailer) // fails where there is no call
	return status.Error(code, err.Error())
}
