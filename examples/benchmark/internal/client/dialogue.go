package client

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/orders"
)

// dialogue is the stream of a worker: one call is a message there and one back.
// When it breaks, that call fails, and the next one opens another.
type dialogue struct {
	client   orders.OrdersClient
	scenario scenario.Scenario
	note     []byte
	// deadline is that of each call. Neither a context nor a rule has one for the
	// messages of a stream, so for all variants alike a timer cancels the stream.
	deadline time.Duration

	ctx    context.Context // of the stream
	cancel context.CancelCauseFunc
	stream orders.Orders_PlaceEachClient // nil: none is open
	timer  *time.Timer
}

func newDialogue(client orders.OrdersClient, s scenario.Scenario, deadline time.Duration) *dialogue {
	return &dialogue{client: client, scenario: s, note: make([]byte, s.Payload), deadline: deadline}
}

func (d *dialogue) call(ctx context.Context) error {
	err := d.exchange(ctx)
	late := d.deadline > 0 && !d.timer.Stop()
	if err == nil && !late {
		return nil
	}
	d.stream = nil // it is broken, or about to be
	if err != nil && context.Cause(d.ctx) == context.DeadlineExceeded {
		err = context.DeadlineExceeded
	}
	d.cancel(nil)
	return err
}

// exchange sends the payload and expects as much in return.
func (d *dialogue) exchange(ctx context.Context) error {
	if d.stream != nil && d.deadline > 0 {
		d.timer.Reset(d.deadline)
	}
	if d.stream == nil {
		if err := d.open(ctx); err != nil {
			return err
		}
	}
	err := d.stream.Send(&orders.PlaceRequest{Item: d.scenario.Handler, Note: d.note})
	if err != nil && err != io.EOF { // which means that Recv knows why
		return err
	}
	order, err := d.stream.Recv()
	if err != nil {
		return err
	}
	return came(order, d.scenario.Payload)
}

// open opens a stream. That is part of the call.
func (d *dialogue) open(ctx context.Context) (err error) {
	d.ctx, d.cancel = context.WithCancelCause(metadata.AppendToOutgoingContext(ctx, tenantHeader, tenant))
	if d.deadline > 0 {
		cancel := d.cancel
		d.timer = time.AfterFunc(d.deadline, func() { cancel(context.DeadlineExceeded) })
	}
	d.stream, err = d.client.PlaceEach(d.ctx)
	return err
}
