package fairgrpc

import (
	"context"
	"errors"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
)

// glance is an attempt that picks nobody and sends nothing: it looks whether
// there is anybody.
type glance struct{ door *door }

func (g glance) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	return transport.Outcome{Err: g.nobody(ctx, call)}
}

// nobody returns why there is nobody to call, nil if there is somebody.
func (g glance) nobody(ctx context.Context, call *transport.Call) error {
	_, err := g.door.mesh.Acquire(ctx, call, g)
	if errors.Is(err, transport.ErrNotReady) {
		return nil // there is, and only this gate is closed
	}
	return err
}

// Ready implements [transport.Gate].
func (glance) Ready(*balancer.Node) bool { return false }
