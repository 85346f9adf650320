package fairgrpc

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/orca"
	"github.com/fairlead-go/fairlead/transport"
)

var errSeveral = errors.New("several reports in one trailer")

// listen hands on what a trailer says of the load of its server, if it says
// anything.
func listen(lease transport.Lease, trailer metadata.MD) {
	switch values := trailer[orca.Trailer]; len(values) {
	case 0:
	case 1:
		lease.Report(orca.ParseBinary(values[0]))
	default: // as in gRPC's own package orca
		lease.Report(balancer.Load{}, errSeveral)
	}
}

// ReportLoad returns the options with which a server tells its clients, in the
// trailer of each call, how busy it is: the load report of ORCA, as gRFC A51 has
// it, so that [balancer.Prequal], gRPC's weighted_round_robin and Envoy can go by
// it. r measures; it may be that of other servers of the process as well. Beside
// them the server must have no other source of reports, such as
// orca.CallMetricsServerOption: clients refuse two.
func ReportLoad(r *transport.LoadReporter) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			c := reporting{r.Start(balancer.Now()), balancer.Failure}
			defer c.end()
			resp, err := handler(ctx, req)
			c.result = resultOf(ctx, err)
			_ = grpc.SetTrailer(ctx, c.report()) // fails where there is no call
			return resp, err
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			c := reporting{r.Start(balancer.Now()).Untimed(), balancer.Failure}
			defer c.end()
			err := handler(srv, stream)
			c.result = resultOf(stream.Context(), err)
			stream.SetTrailer(c.report())
			return err
		}),
	}
}

// reporting is a call that is served. Its result is a failure if its handler
// panics.
type reporting struct {
	served transport.Served
	result balancer.Result
}

func (c *reporting) end() { c.served.Done(balancer.Now(), c.result) }

func (c *reporting) report() metadata.MD {
	return metadata.MD{orca.Trailer: {string(orca.AppendBinary(nil, c.served.Load(balancer.Now())))}}
}

// resultOf judges the end of a call as clients do, see verdicts. Who gave up
// judges nobody; whose time was up does.
func resultOf(ctx context.Context, err error) balancer.Result {
	code := status.Code(err)
	if int(code) >= len(verdicts) {
		code = codes.Unknown
	}
	switch class := verdicts[code].answered; {
	case err != nil && errors.Is(ctx.Err(), context.Canceled), class == transport.Neutral:
		return balancer.Neutral
	case class == transport.Success:
		return balancer.Success
	default:
		return balancer.Failure
	}
}
