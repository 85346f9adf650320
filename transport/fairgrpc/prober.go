package fairgrpc

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// Prober probes instances by Check of gRPC's health service (grpc.health.v1),
// for [transport.WithHealthCheck]. It goes where calls go, in the way they do:
// to the instance's endpoint for gRPC, unix sockets among them, by the service's
// name as authority, without a proxy, and to no address that the mesh may not
// call. An instance without such an endpoint counts as not probed. The zero
// value probes without TLS.
//
// An instance is well if the answer is SERVING, and also if it is the status
// UNIMPLEMENTED: its server has no health service, and nothing is known against
// it (gRFC A17). It is not if the answer is any other, NOT_FOUND among them: the
// health service knows of no such Service, which A17 takes for unhealthy, too.
//
// Each probe has a connection of its own. It so shows that the instance accepts
// new ones, and there is neither a connection nor a goroutine more per instance.
type Prober struct {
	// Service is what the health service is asked about. Empty: the server as a
	// whole.
	Service string
	// Options are those of the clients that make the calls, without
	// [DialOptions]: credentials above all. A dialer among them is not used.
	Options []grpc.DialOption
}

// Validate reports options that gRPC does not take as a [*discovery.FieldError].
func (p Prober) Validate() error {
	conn, err := p.client(context.Background(), "service", "addr") // which connects to nobody
	if err != nil {
		return &discovery.FieldError{Field: "Prober.Options", Value: err.Error(), Allowed: "what grpc.NewClient takes"}
	}
	return conn.Close()
}

// Probe implements [balancer.Prober].
func (p Prober) Probe(ctx context.Context, n *balancer.Node) error {
	addr := n.Endpoint(discovery.GRPC)
	if addr == "" {
		return fmt.Errorf("%w: no endpoint for gRPC that may be called", balancer.ErrUnprobed)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := p.client(ctx, n.Instance().Service, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: p.Service})
	switch {
	case status.Code(err) == codes.Unimplemented:
		return nil
	case err != nil:
		return err
	case answer.Status != healthpb.HealthCheckResponse_SERVING:
		return fmt.Errorf("health of %q is %s", p.Service, answer.Status)
	default:
		return nil
	}
}

// client returns one for one probe. Its target is the service, so that its
// authority is that of calls; its dialer knows better, and goes by the context of
// the probe, which gRPC does not hand on to it.
func (p Prober) client(ctx context.Context, service, addr string) (*grpc.ClientConn, error) {
	plaintext := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	return grpc.NewClient("passthrough:///"+cmp.Or(service, addr), slices.Concat(plaintext, p.Options, []grpc.DialOption{
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			return balancer.DialEndpoint(ctx, systemDialer(), addr)
		}),
		grpc.WithNoProxy(),
		grpc.WithDisableRetry(),
	})...)
}
