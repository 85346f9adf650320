package fairgrpc

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// conditions is an rpc as the conditions of rules see it: a [rule.Request].
type conditions rpc

func (c *conditions) Method() string              { return "POST" } // as on the wire
func (c *conditions) Path() string                { return c.call.Method }
func (c *conditions) Query(string) (string, bool) { return "", false }
func (c *conditions) Key() string                 { return c.call.Key }
func (c *conditions) Caller() string              { return c.door.mesh.Caller() }

// Header is asked about by conditions, one after the other, and often about the same.
func (c *conditions) Header(h rule.Header) (string, bool) {
	if c.asked.name != h.Lower {
		values := metadata.ValueFromOutgoingContext(c.Context, h.Lower)
		c.asked = header{name: h.Lower, value: first(values), is: len(values) > 0}
	}
	return c.asked.value, c.asked.is
}

// header is one of the metadata that a call goes out with.
type header struct {
	name, value string
	is          bool
}

// Baggage reads what the call goes out with: the caller's own metadata, before
// that of the context.
func (c *conditions) Baggage(name string) (string, bool) {
	if !c.carried {
		if own := metadata.ValueFromOutgoingContext(c.Context, "baggage"); len(own) > 0 {
			if c.own == nil { // read once for all conditions
				c.own = transport.WithBaggage(context.Background(), own...)
			}
			return transport.BaggageOf(c.own, name)
		}
	}
	return transport.BaggageOf(c.Context, name)
}
