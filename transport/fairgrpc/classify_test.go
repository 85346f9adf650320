package fairgrpc

import (
	"context"
	"errors"
	"testing"

	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/transport"
)

// G3 and G18: what gRPC says of the end of a pick, and what that says of the
// instance. The codes alone do not tell.
func TestG3G18WhatAnEndSaysOfTheInstance(t *testing.T) {
	end := func(c codes.Code, sent, received bool) grpcbalancer.DoneInfo {
		return grpcbalancer.DoneInfo{Err: status.Error(c, ""), BytesSent: sent, BytesReceived: received}
	}
	waits := t.Context()
	gone, cancel := context.WithCancel(waits)
	cancel()
	late, cancel := context.WithTimeout(waits, 0)
	defer cancel()
	for _, tt := range []struct {
		name   string
		info   grpcbalancer.DoneInfo
		caller context.Context
		want   transport.Class
	}{
		{"success", end(codes.OK, true, true), waits, transport.Success},
		{"picked, but the connection was gone: no error and no bytes", grpcbalancer.DoneInfo{}, waits, transport.Neutral},
		{"broke before its message was sent: no error and no answer", grpcbalancer.DoneInfo{BytesSent: true}, waits, transport.Lost},
		{"caller left before the message was sent", grpcbalancer.DoneInfo{BytesSent: true}, gone, transport.Neutral},

		{"connection lost before anything was sent", end(codes.Unavailable, false, false), waits, transport.Lost},
		{"connection lost before an answer", end(codes.Unavailable, true, false), waits, transport.Lost},
		{"the server's own UNAVAILABLE", end(codes.Unavailable, true, true), waits, transport.Overload},

		{"caller cancelled", end(codes.Canceled, true, false), gone, transport.Neutral},
		{"caller cancelled in the middle of the answer", end(codes.Canceled, true, true), gone, transport.Neutral},
		{"server answered CANCELLED", end(codes.Canceled, true, true), waits, transport.Neutral},

		{"time was up before an answer", end(codes.DeadlineExceeded, true, false), late, transport.Timeout},
		{"time was up in the wait for room on the connection", end(codes.DeadlineExceeded, false, false), late, transport.Timeout},
		{"time was up in the middle of the answer", end(codes.DeadlineExceeded, true, true), late, transport.Timeout},
		{"server answered DEADLINE_EXCEEDED", end(codes.DeadlineExceeded, true, true), waits, transport.Failure},

		{"server has run out of something", end(codes.ResourceExhausted, true, true), waits, transport.Overload},
		{"message too large to be sent", end(codes.ResourceExhausted, true, false), waits, transport.Neutral},
		{"server's fault", end(codes.Internal, true, true), waits, transport.Failure},
		{"server reset the stream", end(codes.Internal, true, false), waits, transport.Failure},
		{"header too long to be sent", end(codes.Internal, false, false), waits, transport.Neutral},
		{"server panicked or did not say", end(codes.Unknown, true, true), waits, transport.Failure},
		{"server lost data", end(codes.DataLoss, true, true), waits, transport.Failure},
		{"a code from the future", end(codes.Code(99), true, true), waits, transport.Failure},

		{"application: invalid argument", end(codes.InvalidArgument, true, true), waits, transport.Success},
		{"application: not found", end(codes.NotFound, true, true), waits, transport.Success},
		{"application: already exists", end(codes.AlreadyExists, true, true), waits, transport.Success},
		{"application: permission denied", end(codes.PermissionDenied, true, true), waits, transport.Success},
		{"application: failed precondition", end(codes.FailedPrecondition, true, true), waits, transport.Success},
		{"application: aborted", end(codes.Aborted, true, true), waits, transport.Success},
		{"application: out of range", end(codes.OutOfRange, true, true), waits, transport.Success},
		{"application: unimplemented", end(codes.Unimplemented, true, true), waits, transport.Success},
		{"application: unauthenticated", end(codes.Unauthenticated, true, true), waits, transport.Success},
		{"own credentials failed", end(codes.Unauthenticated, false, false), waits, transport.Neutral},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := classify(tt.info, tt.caller)
			if got.Class != tt.want {
				t.Errorf("class is %v, want %v", got.Class, tt.want)
			}
			if got.Sent != tt.info.BytesSent || got.Answered != tt.info.BytesReceived || !errors.Is(got.Err, tt.info.Err) {
				t.Errorf("%+v does not say what %+v says", got, tt.info)
			}
		})
	}
}

// The table has a row for each code there is.
func TestClassifyKnowsEveryCode(t *testing.T) {
	if got, want := len(verdicts), int(codes.Unauthenticated)+1; got != want {
		t.Fatalf("%d rows for %d codes", got, want)
	}
	for c, v := range verdicts {
		if codes.Code(c) != codes.Canceled && v.answered == transport.Neutral {
			t.Errorf("%v: an answer says nothing of the instance", codes.Code(c))
		}
	}
}
