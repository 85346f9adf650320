package fairgrpc

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Fallback gives a unary call something else than a failure, by writing to reply,
// which is empty. Its context is the caller's, whose deadline may be over. An error
// is what the caller gets, be it the one it was given.
type Fallback func(ctx context.Context, method string, req, reply any, err error) error

// WithFallback has code say what a caller gets in place of a failure of the
// service, once no attempt is left and the rules have nothing either. It is not
// asked about what a service that works has answered, such as NOT_FOUND, nor for a
// caller that has cancelled its call. A panic leaves the failure as it is; after
// three within a minute it is not asked any more. Streams have none.
func WithFallback(f Fallback) Option { return func(d *door) { d.fallback = f } }

// Answer implements [transport.Substitute].
func (u *unary) Answer(_ int, value string) error {
	reply, ok := u.reply.(proto.Message)
	if !ok {
		return fmt.Errorf("a %T is no protobuf message", u.reply)
	}
	made := reply.ProtoReflect().New().Interface()
	if value != "" {
		if err := protojson.Unmarshal([]byte(value), made); err != nil {
			return err
		}
	}
	proto.Reset(reply)
	proto.Merge(reply, made)
	return nil
}

var errNoRedirect = errors.New("a gRPC channel leads to one service: fairgrpc.WithGateway gives it another, and a fairgrpc.WithFallback can call another client")

// rescue asks code what the caller gets in place of a failure.
func (u *unary) rescue(err error) error {
	f := u.door.fallback
	if f == nil || err == nil || u.call.Replied() || errors.Is(u.Err(), context.Canceled) {
		return err
	}
	instead := err
	if !u.door.falling.Run(func() {
		reset(u.reply)
		instead = f(u.Context, u.method, u.req, u.reply, err)
	}) {
		reset(u.reply) // which a panic has left half written
	}
	return instead
}
