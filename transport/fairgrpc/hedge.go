package fairgrpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/fairlead-go/fairlead/transport"
)

// hedge is a unary call that is made a second time while the first is on its way.
// It has its own copies of all that gRPC writes to.
type hedge struct {
	unary
	first *unary
	kept  []func() // hand what the second attempt wrote to whom the first writes to
}

// Hedge implements [transport.Hedger]. A message that cannot be cloned is not sent
// twice. The request is only read meanwhile, the reply may be written to.
func (u *unary) Hedge(most int) transport.Hedge {
	req, ok := u.req.(proto.Message)
	if !ok || u.replies == nil || proto.Size(req) > most {
		return nil
	}
	h := &hedge{first: u, unary: unary{
		rpc:    rpc{door: u.door},
		method: u.method, cc: u.cc, invoker: u.invoker,
		req: proto.Clone(req), reply: u.replies.New().Interface(),
	}}
	h.opts = h.own(u.opts)
	return h
}

// own returns the options of a call with places of the second attempt's own for
// what gRPC tells through them.
func (h *hedge) own(all []grpc.CallOption) []grpc.CallOption {
	mine := make([]grpc.CallOption, len(all))
	for n, o := range all {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			md := new(metadata.MD)
			mine[n] = grpc.Header(md)
			h.kept = append(h.kept, func() { *o.HeaderAddr = *md })
		case grpc.TrailerCallOption:
			md := new(metadata.MD)
			mine[n] = grpc.Trailer(md)
			h.kept = append(h.kept, func() { *o.TrailerAddr = *md })
		case grpc.PeerCallOption:
			p := new(peer.Peer)
			mine[n] = grpc.Peer(p)
			h.kept = append(h.kept, func() { *o.PeerAddr = *p })
		default:
			mine[n] = o
		}
	}
	return mine
}

// Call implements [transport.Hedge].
func (h *hedge) Call() *transport.Call { return &h.call }

// Try implements [transport.Attempt].
func (h *hedge) Try(ctx context.Context, _ *transport.Call) transport.Outcome {
	h.Context = ctx
	h.begin(h)
	return h.outcome(h.invoker(h, h.method, h.req, h.reply, h.cc, h.opts...))
}

// Win implements [transport.Hedge].
func (h *hedge) Win() {
	reply := h.first.reply.(proto.Message)
	proto.Reset(reply)
	proto.Merge(reply, h.reply.(proto.Message))
	for _, hand := range h.kept {
		hand()
	}
}

// Lose implements [transport.Hedge].
func (h *hedge) Lose() {}
