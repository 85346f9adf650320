package fairgrpc

import (
	"context"
	"time"

	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
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

// isUp reports whether the time of ctx is up, be it that its timer is late.
func isUp(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}
