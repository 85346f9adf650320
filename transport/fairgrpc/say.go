package fairgrpc

import (
	"strconv"

	"google.golang.org/grpc/metadata"
)

// callerKey is the metadata that names the service which calls, see [SendCaller].
const callerKey = "fairlead-caller"

// SendCaller has the clients of these options tell servers which service calls, as far
// as the mesh knows (see [transport.WithCaller]), in the metadata fairlead-caller: for
// the limits that rules set them per caller. It is what the client says, and nobody's
// proof.
func SendCaller() Option { return func(d *door) { d.sendCaller = true } }

// say adds to the metadata of a pick what servers are told of the attempt.
func (p *picker) say(md metadata.MD, r *rpc, carry string) metadata.MD {
	add := func(key, value string) { md = metadata.Join(md, metadata.Pairs(key, value)) }
	if carry != "" {
		add("baggage", carry)
	}
	if is := r.call.Priority; is != r.said && !r.told {
		add(Priority, is.String())
	}
	if tries := r.call.Tries(); tries > 1 {
		add("grpc-previous-rpc-attempts", strconv.Itoa(tries-1))
	}
	if p.door.sendCaller {
		if name := p.door.mesh.Caller(); name != "" {
			add(callerKey, name)
		}
	}
	if r.call.Origin != "" {
		add(forService, r.call.Origin)
	}
	return md
}
