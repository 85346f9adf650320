package fairgrpc

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/transport"
)

// statusError is an error of the core with a gRPC status, which the core
// itself cannot have without linking protobuf into every user of net/http.
type statusError struct {
	cause  *transport.Error
	status *status.Status
}

func (e *statusError) Error() string              { return e.cause.Error() }
func (e *statusError) Unwrap() error              { return e.cause }
func (e *statusError) GRPCStatus() *status.Status { return e.status }

// withStatus gives errors of the core a status. Others, nil among them, are
// returned as they are: a server's own answer is passed on unchanged.
func withStatus(err error) error {
	own, ok := err.(*transport.Error)
	if !ok {
		return err
	}
	return &statusError{own, status.New(codeOf(own), own.Error())}
}

// codeOf is that of gRPC's own error where there is one right below. Deeper
// down, a status may be anybody's, such as that of a registry, save for what was
// sent.
func codeOf(e *transport.Error) codes.Code {
	if s, ok := e.Err.(interface{ GRPCStatus() *status.Status }); ok {
		return s.GRPCStatus().Code()
	}
	if i, ok := errors.AsType[*transport.Injected](e.Err); ok {
		return codeNamed(i.GRPCStatus)
	}
	switch {
	case e.Timeout():
		return codes.DeadlineExceeded
	case errors.Is(e.Err, context.Canceled):
		return codes.Canceled
	case e.Stage == transport.StageLimit:
		return codes.ResourceExhausted
	case e.Stage == transport.StageSend: // below the reason why there was no other attempt
		if s, ok := errors.AsType[interface {
			error
			GRPCStatus() *status.Status
		}](e.Err); ok {
			return s.GRPCStatus().Code()
		}
	}
	return codes.Unavailable
}

// codeNamed is the code of a name such as "NOT_FOUND".
func codeNamed(name string) codes.Code {
	var c codes.Code
	if c.UnmarshalJSON([]byte(strconv.Quote(name))) != nil {
		return codes.Unavailable
	}
	return c
}
