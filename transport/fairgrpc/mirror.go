package fairgrpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// Mirrored is the metadata that tells a server that a call is the copy of
// another, whose answer is thrown away.
const Mirrored = "fairlead-mirrored"

// copied is the copy of a unary call.
type copied struct {
	rpc
	method     string
	req, reply proto.Message
	cc         *grpc.ClientConn
	invoker    grpc.UnaryInvoker
	opts       []grpc.CallOption
}

// Copy implements [transport.Copier].
func (u *unary) Copy(most int) transport.Attempt {
	req, ok := u.req.(proto.Message)
	reply, known := u.reply.(proto.Message)
	if !ok || !known || proto.Size(req) > most {
		return nil
	}
	return &copied{
		rpc:    rpc{door: u.door},
		method: u.method, cc: u.cc, invoker: u.invoker, opts: outward(u.opts),
		// The application may write to its own once the call is over.
		req: proto.Clone(req), reply: reply.ProtoReflect().New().Interface(),
	}
}

// Try implements [transport.Attempt].
func (c *copied) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	c.Context = metadata.AppendToOutgoingContext(ctx, Mirrored, "true")
	c.call = *call
	defer func() { *call = c.call }()
	c.begin(ctx)
	c.call.Protocol = discovery.GRPC
	return c.outcome(c.invoker(c, c.method, c.req, c.reply, c.cc, c.opts...))
}

// outward returns the options that say what a server sees of a call. Others stay
// with it: they may write to what is the application's.
func outward(all []grpc.CallOption) (some []grpc.CallOption) {
	for _, o := range all {
		switch o.(type) {
		case grpc.PerRPCCredsCallOption, grpc.AuthorityOverrideCallOption, grpc.CompressorCallOption,
			grpc.ContentSubtypeCallOption, grpc.ForceCodecCallOption, grpc.ForceCodecV2CallOption:
			some = append(some, o)
		}
	}
	return some
}
