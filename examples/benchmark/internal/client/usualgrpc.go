package client

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// usualGRPC has gobreaker in interceptors, and grpc's own for the rest: round robin,
// the retry policy, otelgrpc's stats handler.
func usualGRPC(a Assignment, sdk telemetry) (grpcClient, error) {
	b := newBreaker[grpc.ClientStream](answered)
	return dialList(a, sdk.statsHandler(),
		grpc.WithDefaultServiceConfig(`{
			"loadBalancingConfig": [{"round_robin": {}}],
			"methodConfig": [{"name": [{}], "retryPolicy": {
				"maxAttempts": 3, "initialBackoff": "0.025s", "maxBackoff": "0.25s", "backoffMultiplier": 2,
				"retryableStatusCodes": ["UNAVAILABLE"]
			}}],
			"retryThrottling": {"maxTokens": 100, "tokenRatio": 0.2}
		}`),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			_, err := b.Execute(func() (grpc.ClientStream, error) { return nil, invoke(ctx, method, req, reply, cc, opts...) })
			return err
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return b.Execute(func() (grpc.ClientStream, error) { return open(ctx, desc, cc, method, opts...) })
		}))
}

// answered are calls to which the server had an answer, be it an error.
func answered(err error) bool {
	switch status.Code(err) {
	case codes.Unknown, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal, codes.Unavailable:
		return false
	}
	return true
}
