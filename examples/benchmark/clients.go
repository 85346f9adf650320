package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
)

// grace is what a run may take beyond its measured time. Calls have no deadline; a
// run must.
const grace = 30 * time.Second

// runClients makes one run, by a fresh process for each assignment. They begin at
// the same time.
func runClients(ctx context.Context, as ...client.Assignment) (_ load.Measurement, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*as[0].Warmup+as[0].Duration+as[0].Open+grace)
	var all []*process
	defer func() {
		if err != nil {
			cancel() // which ends those that still run
		}
		for _, c := range all {
			if ended := c.Wait(); err == nil && ended != nil {
				err = fmt.Errorf("client process: %w", ended)
			}
		}
		cancel()
	}()
	for _, a := range as {
		c, err := start(ctx, clientRole)
		if err != nil {
			return load.Measurement{}, err
		}
		all = append(all, c)
		_ = c.in.Encode(a) // a process that is gone says so when it is asked
	}
	var w word
	for _, c := range all {
		if err := c.out.Decode(&w); err != nil {
			return load.Measurement{}, fmt.Errorf("client process did not get ready: %w", errors.Join(err, ctx.Err()))
		}
	}
	for _, c := range all {
		if err := c.in.Encode(begin); err != nil {
			return load.Measurement{}, fmt.Errorf("client process: %w", err)
		}
	}
	shares := make([]load.Share, len(all))
	for i, c := range all {
		if err := c.out.Decode(&shares[i]); err != nil {
			return load.Measurement{}, fmt.Errorf("client process found nothing: %w", errors.Join(err, ctx.Err()))
		}
	}
	return load.Together(shares...), nil
}
