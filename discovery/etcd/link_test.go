package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	_ "google.golang.org/grpc/balancer/roundrobin"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/serviceconfig"
)

// A channel of grpc lets calls through before it says that it is ready, as a
// rule by microseconds. Nothing is lost then, and nothing may be called lost.
func TestAnAnswerBeforeTheChannelSaysReadyIsNoLostConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, emptyStore{})
	go server.Serve(listener) // ends with Stop
	t.Cleanup(server.Stop)

	var said log
	config := Config{
		Client: clientv3.Config{
			Endpoints:   []string{listener.Addr().String()},
			DialOptions: []grpc.DialOption{grpc.WithDisableServiceConfig(), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"` + tardy + `": {}}]}`)},
		},
		Logger: slog.New(slog.NewTextHandler(&said, nil)),
	}
	l := newLink(newConn(config, dial), "epoch", config.Logger)
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer running.Wait()
	defer cancel()
	running.Go(func() { l.run(ctx) })

	patience := time.After(30 * time.Second)
	for {
		s, changed, _ := l.current()
		if s != nil && s.client.ActiveConnection().GetState() == connectivity.Ready {
			break
		}
		select {
		case <-changed:
		case <-time.After(time.Millisecond): // nobody tells of the state alone
		case <-patience:
			t.Fatalf("still no session over a channel that is ready:\n%s", said.String())
		}
	}
	if got := said.String(); strings.Contains(got, "does not answer") {
		t.Errorf("a connection that stood was given up:\n%s", got)
	}
}

// emptyStore answers each read: nothing is there.
type emptyStore struct{ pb.UnimplementedKVServer }

func (emptyStore) Range(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) {
	return &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 1}}, nil
}

// log is what was logged.
type log struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tardy is round_robin on a machine so busy that ready is said late.
const tardy = "tardy_round_robin"

// grpc's registry may be written before main only.
func init() { balancer.Register(tardyBuilder{}) }

type tardyBuilder struct{}

func (tardyBuilder) Name() string { return tardy }

func (tardyBuilder) Build(cc balancer.ClientConn, options balancer.BuildOptions) balancer.Balancer {
	return balancer.Get("round_robin").Build(tardyConn{cc}, options)
}

func (tardyBuilder) ParseConfig(json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	return nil, nil
}

type tardyConn struct{ balancer.ClientConn }

// UpdateState gives the picker at once and the state later.
func (c tardyConn) UpdateState(s balancer.State) {
	if s.ConnectivityState == connectivity.Ready {
		early := s
		early.ConnectivityState = connectivity.Connecting
		c.ClientConn.UpdateState(early)
		time.Sleep(200 * time.Millisecond)
	}
	c.ClientConn.UpdateState(s)
}
