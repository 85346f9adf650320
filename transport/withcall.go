package transport

import (
	"context"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// CallOption says something of the calls made with a context; see [WithCall].
type CallOption func(*settings)

type settings struct {
	key          string
	idempotent   *bool
	waitForReady *bool
	instance     string
	tolerance    *rule.FaultTolerance
	priority     *ratelimit.Priority
	behalf       ratelimit.Priority
}

type settingsKey struct{}

// governed is a context and what it says of calls, in one.
type governed struct {
	context.Context
	settings
}

func (g *governed) Value(key any) any {
	if _, ok := key.(settingsKey); ok {
		return &g.settings
	}
	return g.Context.Value(key)
}

// WithCall returns a context whose calls, over HTTP and gRPC alike, carry the
// given properties. Those that are not given are taken over from ctx.
func WithCall(ctx context.Context, options ...CallOption) context.Context {
	g := &governed{Context: ctx}
	if outer, ok := ctx.Value(settingsKey{}).(*settings); ok {
		g.settings = *outer
	}
	for _, o := range options {
		o(&g.settings)
	}
	return g
}

// Key names what the call is about, such as a user or a tenant. It reaches the
// policy as balancer.Request.Key: [balancer.RingHash] and [balancer.Maglev] keep
// calls with the same key on the same instance, and the other policies do not look
// at it. A rule whose hashOn is key goes by it, too.
func Key(key string) CallOption { return func(s *settings) { s.key = key } }

// Idempotent says whether executing the call twice is the same as executing it
// once, overriding what its method says. An idempotent call whose connection
// is lost before an answer is tried again on another instance.
func Idempotent(yes bool) CallOption { return func(s *settings) { s.idempotent = &yes } }

// WaitForReady says whether a call to a service that has no instance to go to
// waits for the first one, as gRPC's option of that name does: where the
// service is scaled to zero, where its list was never obtained, where no
// instance speaks the call's protocol. It waits within its context, so give it
// a deadline, goes out when the first instance appears, and otherwise fails
// with an [*Error] of [StageWait]. The default is to fail at once with
// balancer.ErrNoInstances.
//
// An instance that is listed and refuses connections, as one that still starts
// may, is not waited for over HTTP: the call is tried again as usual. Over gRPC
// it is: the call is given [google.golang.org/grpc.WaitForReady], and false
// leaves one that was given otherwise as it is.
func WaitForReady(yes bool) CallOption { return func(s *settings) { s.waitForReady = &yes } }

// Apply overrides the call's fields with what [WithCall] put into ctx. Doors
// call it after filling in what they know by themselves.
func (c *Call) Apply(ctx context.Context) {
	s, ok := ctx.Value(settingsKey{}).(*settings)
	if !ok {
		return
	}
	if s.key != "" {
		c.Key = s.key
	}
	if s.idempotent != nil {
		c.Idempotent, c.declared = *s.idempotent, true
	}
	if s.tolerance != nil {
		c.tolerance, c.tolerated = *s.tolerance, true
	}
	if s.priority != nil {
		c.Priority, c.prioritized = *s.priority, true
	} else if s.behalf != ratelimit.Default { // a request that is passed on may say less
		c.prioritize(s.behalf)
	}
	c.pin = s.instance
	if s.waitForReady != nil {
		c.WaitForReady = *s.waitForReady
	}
}
