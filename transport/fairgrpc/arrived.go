package fairgrpc

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// arrived is a call that came to a server as the conditions of rules see it: a
// [rule.Request]. Who calls is who the client says that it is; what code says the call
// is about is not known.
type arrived struct {
	ctx    context.Context
	method string
}

func (*arrived) Method() string                       { return "POST" } // as on the wire
func (a *arrived) Path() string                       { return a.method }
func (*arrived) Query(string) (string, bool)          { return "", false }
func (a *arrived) Caller() string                     { return a.last(callerKey) }
func (*arrived) Key() string                          { return "" }
func (a *arrived) Baggage(name string) (string, bool) { return transport.BaggageOf(a.ctx, name) }

// last returns the last value of a key: what a proxy passed on stands before it.
func (a *arrived) last(key string) string {
	if values := metadata.ValueFromIncomingContext(a.ctx, key); len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func (a *arrived) Header(h rule.Header) (string, bool) {
	values := metadata.ValueFromIncomingContext(a.ctx, h.Lower)
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}
