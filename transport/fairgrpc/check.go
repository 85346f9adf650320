package fairgrpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// HealthCheck returns a check, for [transport.ServeConfig].Ready, that the
// health service of gRPC behind conn says SERVING for service; empty: for the
// server as a whole.
func HealthCheck(conn grpc.ClientConnInterface, service string) func(context.Context) error {
	client := healthpb.NewHealthClient(conn)
	return func(ctx context.Context) error {
		r, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			return err
		}
		if r.Status != healthpb.HealthCheckResponse_SERVING {
			return fmt.Errorf("health of %q is %s", service, r.Status)
		}
		return nil
	}
}
