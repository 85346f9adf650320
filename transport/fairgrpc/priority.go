package fairgrpc

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// Priority is the metadata that says how important a call is, "critical" or
// "sheddable", and absent where it is neither. What an application's metadata says
// already, as those of a proxy do, counts as the priority of the call that this one
// is made for, see [transport.OnBehalfOf].
const Priority = "fairlead-priority"

// TrustPriority believes calls that say they are critical. It is for listeners whose
// clients are trusted: with others, every call would soon be. Without it such a call
// counts as any other, and its handler does not see that metadata, which it might
// pass on. That a call is sheddable is believed of everybody.
func TrustPriority() ServerOption { return func(i *interceptor) { i.trustPriority = true } }

// priorityIn reads the values of Priority. The last one counts: a channel without
// interceptors cannot take away what the application has said. What cannot be read
// says nothing.
func priorityIn(values []string) ratelimit.Priority {
	if len(values) == 0 {
		return ratelimit.Default
	}
	p, _ := ratelimit.ParsePriority(values[len(values)-1])
	return p
}

// silentOfPriority returns a context whose outgoing metadata says none.
func silentOfPriority(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	delete(md, Priority)
	return metadata.NewOutgoingContext(ctx, md)
}
