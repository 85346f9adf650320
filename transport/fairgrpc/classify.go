package fairgrpc

import (
	"context"
	"strconv"
	"time"

	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/transport"
)

// verdicts says what a status code tells of the instance, for one that
// answered and for one that was silent. A lost connection and a server's own
// UNAVAILABLE have the same code, and so have a message too large to be sent
// and a server that has run out of something: only the bytes received tell
// them apart. Codes that an application answers with say that it works.
var verdicts = [...]struct{ answered, silent transport.Class }{
	codes.OK:                 {transport.Success, transport.Lost}, // silent: it broke before the message was sent
	codes.Canceled:           {transport.Neutral, transport.Neutral},
	codes.Unknown:            {transport.Failure, transport.Failure},
	codes.InvalidArgument:    {transport.Success, transport.Neutral},
	codes.DeadlineExceeded:   {transport.Failure, transport.Timeout},
	codes.NotFound:           {transport.Success, transport.Neutral},
	codes.AlreadyExists:      {transport.Success, transport.Neutral},
	codes.PermissionDenied:   {transport.Success, transport.Neutral},
	codes.ResourceExhausted:  {transport.Overload, transport.Neutral},
	codes.FailedPrecondition: {transport.Success, transport.Neutral},
	codes.Aborted:            {transport.Success, transport.Neutral},
	codes.OutOfRange:         {transport.Success, transport.Neutral},
	codes.Unimplemented:      {transport.Success, transport.Neutral},
	codes.Internal:           {transport.Failure, transport.Failure}, // silent: the stream was reset
	codes.Unavailable:        {transport.Overload, transport.Lost},
	codes.DataLoss:           {transport.Failure, transport.Failure},
	codes.Unauthenticated:    {transport.Success, transport.Neutral},
}

// classify translates how gRPC ended a pick, and what the caller's context says
// at that moment.
//
// No error does not mean success. gRPC reports none for a pick whose
// connection was gone before it was used, which never ran; and none for a
// stream that broke between its opening and its message, whose error comes out
// later. Neither received a byte, as every success has.
func classify(info grpcbalancer.DoneInfo, caller context.Context) transport.Outcome {
	o := transport.Outcome{Err: info.Err, Sent: info.BytesSent, Answered: info.BytesReceived, Connected: true}
	code := status.Code(info.Err)
	if int(code) >= len(verdicts) {
		code = codes.Unknown
	}
	switch v := verdicts[code]; {
	case info.Err != nil && len(info.Trailer[Refused]) > 0:
		o.Class = transport.Overload // whatever the code is, it was not taken on
	case info.BytesReceived && code == codes.DeadlineExceeded && isUp(caller):
		o.Class = transport.Timeout // the caller's time was up in the middle of the answer
	case info.BytesReceived:
		o.Class = v.answered
	case info.Err == nil && (!info.BytesSent || caller.Err() != nil):
		o.Class = transport.Neutral // it never ran, or the caller broke it off
	case info.BytesSent || v.silent == transport.Lost || v.silent == transport.Timeout:
		o.Class = v.silent
	default:
		o.Class = transport.Neutral // nothing was sent: credentials, or a header too long
	}
	o.Late = o.Class == transport.Timeout && transport.NoticedLate(caller)
	return o
}

// classify is that of this call: as the table of codes has it, and then as the rules
// and code do.
func (r *rpc) classify(info grpcbalancer.DoneInfo) transport.Outcome {
	o := classify(info, r.bounded)
	o.Code = int(status.Code(info.Err)) // also of a lost connection, which callers know as UNAVAILABLE
	if !o.Answered {
		return o
	}
	if o.Class == transport.Timeout && r.call.Stream {
		o.Class = transport.Neutral // how long it lasts is the application's doing
	}
	if info.Err != nil {
		o.RetryAfter, o.NoRetry = pushback(info.Trailer)
		o.Shed = o.RetryAfter > 0 || o.NoRetry || o.Code == int(codes.ResourceExhausted) || len(info.Trailer[Refused]) > 0
	}
	if o.Class != transport.Timeout && r.call.Judges() {
		o.Class = r.call.Judge(o.Class, transport.Answer{Code: o.Code, Err: info.Err, Header: func(name string) string {
			return first(info.Trailer.Get(name))
		}})
	}
	return o
}

// pushback reads what a server says of when to try again (gRFC A6): a number of
// milliseconds; what is negative, or none, means not at all.
func pushback(trailer metadata.MD) (after time.Duration, never bool) {
	values := trailer[pushbackKey]
	if len(values) == 0 {
		return 0, false
	}
	ms, err := strconv.ParseInt(values[0], 10, 32)
	if err != nil || ms < 0 || len(values) > 1 {
		return 0, true
	}
	return time.Duration(ms) * time.Millisecond, false
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// isUp reports whether the time of ctx is up, be it that its timer is late.
func isUp(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}
