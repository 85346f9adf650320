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

func (c *conditions) Header(h rule.Header) (string, bool) {
	values := c.sent()[h.Lower]
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

// Baggage reads what the call goes out with: the caller's own metadata, before
// that of the context.
func (c *conditions) Baggage(name string) (string, bool) {
	if !c.carried {
		if own := c.sent()["baggage"]; len(own) > 0 {
			if c.own == nil { // read once for all conditions
				c.own = transport.WithBaggage(context.Background(), own...)
			}
			return transport.BaggageOf(c.own, name)
		}
	}
	return transport.BaggageOf(c.Context, name)
}

// sent returns the metadata that the call goes out with. It is a copy, made once
// for the calls whose rules ask for it.
func (c *conditions) sent() metadata.MD {
	if !c.read {
		c.metadata, _ = metadata.FromOutgoingContext(c.Context)
		c.read = true
	}
	return c.metadata
}
