// Package grpcproxy runs etcd's own gRPC proxy in a process of its own, which
// can be killed and restarted. It stands between many clients and etcd and
// makes one watch of those that watch the same.
package grpcproxy

import (
	"context"
	"fmt"
	"math"
	"net"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/fairlead-go/fairlead/internal/integration/worker"
	"github.com/fairlead-go/fairlead/internal/loopback"
)

// roleName is the role of a worker that is a proxy.
const roleName = "grpc-proxy"

// Roles has the role that [Start] needs the program to play.
func Roles() map[string]worker.Role {
	return map[string]worker.Role{roleName: worker.Given(serve)}
}

// Proxy is a proxy in a worker. Its methods are for one goroutine.
type Proxy struct {
	task    task
	process *worker.Process // nil: killed
}

type task struct {
	Listen    string
	Endpoints []string
}

// Start starts a proxy in front of etcd.
func Start(ctx context.Context, endpoints ...string) (*Proxy, error) {
	addr, err := loopback.Addr()
	if err != nil {
		return nil, err
	}
	p := &Proxy{task: task{Listen: addr, Endpoints: endpoints}}
	return p, p.Restart(ctx)
}

// Endpoint is the host:port for clients, the same after each restart.
func (p *Proxy) Endpoint() string { return p.task.Listen }

// Process is the process that the proxy is, until it is killed.
func (p *Proxy) Process() *worker.Process { return p.process }

// Restart starts the proxy that was killed.
func (p *Proxy) Restart(ctx context.Context) error {
	process, err := worker.Start(ctx, roleName, p.task)
	if err != nil {
		return err
	}
	p.process = process
	return nil
}

// Kill ends the proxy without warning.
func (p *Proxy) Kill() {
	if p.process != nil {
		p.process.Kill()
		p.process = nil
	}
}

// serve does what the command etcd grpc-proxy start does, with its defaults.
func serve(t task) (worker.Answers, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:          t.Endpoints,
		DialTimeout:        5 * time.Second,
		MaxCallRecvMsgSize: math.MaxInt32,
		DialOptions: []grpc.DialOption{
			grpc.WithUnaryInterceptor(grpcproxy.AuthUnaryClientInterceptor),
			grpc.WithStreamInterceptor(grpcproxy.AuthStreamClientInterceptor),
		},
		Logger: clientv3.NewCtxClient(context.Background()).GetLogger(),
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", t.Listen)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(
		grpc.MaxConcurrentStreams(math.MaxUint32),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: embed.DefaultGRPCKeepAliveMinTime}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: embed.DefaultGRPCKeepAliveInterval, Timeout: embed.DefaultGRPCKeepAliveTimeout}),
	)
	kv, _ := grpcproxy.NewKvProxy(client)
	watch, _ := grpcproxy.NewWatchProxy(client.Ctx(), client.GetLogger(), client)
	lease, _ := grpcproxy.NewLeaseProxy(client.Ctx(), client)
	cluster, _ := grpcproxy.NewClusterProxy(client.GetLogger(), client, "", "")
	pb.RegisterKVServer(server, kv)
	pb.RegisterWatchServer(server, watch)
	pb.RegisterLeaseServer(server, lease)
	pb.RegisterClusterServer(server, cluster)
	pb.RegisterMaintenanceServer(server, grpcproxy.NewMaintenanceProxy(client))
	pb.RegisterAuthServer(server, grpcproxy.NewAuthProxy(client))
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }() // ends with the process
	return worker.Answers{}, watching(client, failed)
}

// watching waits until etcd answers the proxy.
func watching(client *clientv3.Client, failed <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := client.Get(ctx, "any"); err != nil {
		return fmt.Errorf("etcd behind the proxy: %w", err)
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
