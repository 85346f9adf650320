package faults_test

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

// Callers open streams and forget them. Each is in flight until its context ends,
// not longer, and the instance hears of that.
var (
	leftOpen     = forgotten(fleet.HTTP1, "streams left open, HTTP1", (*client).openHTTP)
	leftOpenGRPC = forgotten(fleet.GRPC, "streams left open, gRPC", (*client).openGRPC)
)

func forgotten(p fleet.Protocol, fault string, open func(*client, context.Context) error) row {
	return row{
		number: 45, fault: fault,
		setup: func(s *scene) {
			s.protocol, s.scale.warm, s.scale.settle = p, 0, 0
			s.few(3)
		},
		inject: func(s *scene) {
			const streams = 30
			c := s.client()
			ctx, cancel := context.WithCancel(s.Context())
			defer cancel()
			for range streams {
				if err := open(c, ctx); err != nil {
					s.Fatal(err)
				}
			}
			s.sleep(time.Second)
			if n := c.inFlight(); n != streams {
				s.Errorf("%d streams are in flight, want %d while nobody ends them", n, streams)
			}
			began := time.Now()
			cancel()
			s.soon("nothing in flight", func() bool { return c.inFlight() == 0 })
			s.figure("nothing in flight after", time.Since(began))
			s.soon("that instances heard of it", func() bool {
				return s.all(func(is fleet.Status) int64 { return is.Abandoned }) == streams
			})
			seen := c.called()
			for outcome, n := range seen.Attempts {
				if outcome != "neutral" && outcome != "success" && n != 0 {
					s.Errorf("%d streams count as %s", n, outcome)
				}
			}
			for _, i := range seen.Instances {
				if i.Outage != nil {
					s.Errorf("%s is passed over: %s", i.ID, i.Outage.Reason)
				}
			}
		},
		hold:  func(s *scene) {},
		check: func(s *scene) {},
	}
}

// openHTTP opens a stream, reads of it and forgets it.
func (c *client) openHTTP(ctx context.Context) error {
	resp, err := c.do(ctx, "GET", fleet.Endless, nil)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(resp.Body, make([]byte, 1))
	return err
}

// openGRPC does the same, and ends its own side, which does not end the other.
func (c *client) openGRPC(ctx context.Context) error {
	ctx, key := c.key(ctx)
	stream, err := c.grpc.StreamingOutputCall(metadata.AppendToOutgoingContext(ctx, fleet.CallHeader, key), &grpc_testing.StreamingOutputCallRequest{})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return stream.CloseSend()
}
