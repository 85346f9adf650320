package fairgrpc

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/fairlead-go/fairlead/internal/callback"
	"github.com/fairlead-go/fairlead/transport"
)

// DialOptions returns the options that make a client of target mesh:///orders
// call service "orders" through the mesh. Clients of other targets are not
// touched by them. One result may be used for many clients.
//
// Options placed after these win, with these in mind:
//
//   - Interceptors placed after these run once per attempt, those before them
//     once per call.
//   - gRPC's own retries stay off below ours: two layers would multiply.
//   - The address policy of [transport.WithReach] is checked on each socket by
//     a dialer, before it connects. A [grpc.WithContextDialer] after these is
//     on its own: what host names become is then for it to check.
//   - Proxies of the environment are not used. They are chosen by the target's
//     name, and instances are reached by address.
//   - The resolver brings a service config of its own, so that gRPC ignores
//     [grpc.WithDefaultServiceConfig], as with any such resolver. Whoever needs
//     method configs adds [grpc.WithDisableServiceConfig] and names the
//     balancer in the default: "loadBalancingConfig":[{"fairlead":{}}].
//   - Instances are reconnected to after at most 3 s, not gRPC's two minutes:
//     one that restarts is wanted back.
func DialOptions(mesh *transport.Mesh, options ...Option) []grpc.DialOption {
	d := newDoor(mesh, options...)
	return []grpc.DialOption{
		grpc.WithResolvers(builder{d}),
		grpc.WithChainUnaryInterceptor(d.unary),
		grpc.WithChainStreamInterceptor(d.stream),
		grpc.WithDisableRetry(),
		grpc.WithNoProxy(),
		grpc.WithContextDialer(dial),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  100 * time.Millisecond,
				Multiplier: 1.6,
				Jitter:     0.2,
				MaxDelay:   3 * time.Second,
			},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
}

// Option says more of the clients that [DialOptions] make.
type Option func(*door)

// door is what the parts of one set of dial options share.
type door struct {
	mesh     *transport.Mesh
	methods  methods
	gateways []*grpc.ClientConn
	fallback Fallback           // nil: there is none
	falling  *callback.Callback // of fallback

	sendCaller bool
}

func newDoor(mesh *transport.Mesh, options ...Option) *door {
	d := &door{mesh: mesh}
	for _, o := range options {
		o(d)
	}
	if d.fallback != nil {
		d.falling = mesh.Callback("fallback")
	}
	return d
}
