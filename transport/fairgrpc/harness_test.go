package fairgrpc_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// The test service, in the place of generated code. Its proto file declares
// how often each method may be executed.
const (
	get     = "/fairlead.test.Orders/Get"     // NO_SIDE_EFFECTS
	replace = "/fairlead.test.Orders/Replace" // IDEMPOTENT
	add     = "/fairlead.test.Orders/Add"     // nothing said
	watch   = "/fairlead.test.Orders/Watch"   // server stream
	upload  = "/fairlead.test.Orders/Upload"  // client stream
	chat    = "/fairlead.test.Orders/Chat"    // both
)

func init() {
	text := ".google.protobuf.StringValue"
	method := func(name string, level descriptorpb.MethodOptions_IdempotencyLevel, client, server bool) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{
			Name: &name, InputType: &text, OutputType: &text, ClientStreaming: &client, ServerStreaming: &server,
			Options: &descriptorpb.MethodOptions{IdempotencyLevel: &level},
		}
	}
	const unknown = descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("fairlead/test/orders.proto"), Package: new("fairlead.test"), Syntax: new("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("Orders"), Method: []*descriptorpb.MethodDescriptorProto{
			method("Get", descriptorpb.MethodOptions_NO_SIDE_EFFECTS, false, false),
			method("Replace", descriptorpb.MethodOptions_IDEMPOTENT, false, false),
			method("Add", unknown, false, false),
			method("Watch", unknown, false, true),
			method("Upload", unknown, true, false),
			method("Chat", unknown, true, true),
		}}},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		panic(err)
	}
}

// backend is one instance on a loopback socket.
type backend struct {
	id   string
	opts []grpc.ServerOption

	mu       sync.Mutex // guards what follows
	srv      *grpc.Server
	listener *listener
	addr     string
	serving  sync.WaitGroup

	executed atomic.Int64 // unary calls and streams that a handler was given
	// unary answers unary calls, stream serves streams; both may be replaced
	// before the backend is called.
	unary  func(ctx context.Context, method, in string) (string, error)
	stream func(method string, s grpc.ServerStream) error
	extra  func(*grpc.Server) // registers more services
}

// start serves on a free port and stops with the test.
func start(tb testing.TB, id string, opts ...grpc.ServerOption) *backend {
	tb.Helper()
	b := &backend{id: id, opts: opts}
	b.unary = func(_ context.Context, _, in string) (string, error) { return id + ":" + in, nil }
	b.stream = echo
	b.listen(tb, "127.0.0.1:0")
	tb.Cleanup(func() {
		b.mu.Lock()
		srv := b.srv
		b.mu.Unlock()
		srv.Stop()
		b.serving.Wait()
	})
	return b
}

// listen begins to serve at addr, be it for the first time or again.
func (b *backend) listen(tb testing.TB, addr string) {
	tb.Helper()
	inner, err := net.Listen("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listener, b.addr = &listener{Listener: inner}, inner.Addr().String()
	b.srv = b.server()
	srv, l := b.srv, b.listener
	b.serving.Go(func() { _ = srv.Serve(l) })
}

// server returns a gRPC server of the test service.
func (b *backend) server() *grpc.Server {
	srv := grpc.NewServer(b.opts...)
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "fairlead.test.Orders",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{b.method(get), b.method(replace), b.method(add)},
		Streams: []grpc.StreamDesc{
			{StreamName: "Watch", Handler: b.serveStream(watch), ServerStreams: true},
			{StreamName: "Upload", Handler: b.serveStream(upload), ClientStreams: true},
			{StreamName: "Chat", Handler: b.serveStream(chat), ServerStreams: true, ClientStreams: true},
		},
	}, b)
	if b.extra != nil {
		b.extra(srv)
	}
	return srv
}

// also serves at a second address.
func (b *backend) also(tb testing.TB, network, addr string) {
	tb.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		tb.Fatal(err)
	}
	b.serving.Go(func() { _ = b.srv.Serve(l) })
}

func (b *backend) method(full string) grpc.MethodDesc {
	handle := func(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.StringValue)
		if err := decode(in); err != nil {
			return nil, err
		}
		run := func(ctx context.Context, in any) (any, error) {
			b.executed.Add(1)
			out, err := b.unary(ctx, full, in.(*wrapperspb.StringValue).Value)
			if err != nil {
				return nil, err
			}
			return wrapperspb.String(out), nil
		}
		if intercept == nil {
			return run(ctx, in)
		}
		return intercept(ctx, in, &grpc.UnaryServerInfo{Server: b, FullMethod: full}, run)
	}
	return grpc.MethodDesc{MethodName: full[len("/fairlead.test.Orders/"):], Handler: handle}
}

func (b *backend) serveStream(full string) grpc.StreamHandler {
	return func(_ any, s grpc.ServerStream) error {
		b.executed.Add(1)
		return b.stream(full, s)
	}
}

// echo answers each message of a stream with itself; a stream that must not
// answer more than once answers with the last.
func echo(method string, s grpc.ServerStream) error {
	last := new(wrapperspb.StringValue)
	for {
		in := new(wrapperspb.StringValue)
		err := s.RecvMsg(in)
		switch {
		case errors.Is(err, io.EOF) && method == upload:
			return s.SendMsg(last)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case method == upload:
			last = in
			continue
		}
		if err := s.SendMsg(in); err != nil {
			return err
		}
	}
}

// cut resets every connection, as the death of the process does. The listener
// stays.
func (b *backend) cut() {
	b.mu.Lock()
	l := b.listener
	b.mu.Unlock()
	l.cut()
}

// kill is the end of the process: nobody listens any more and every connection
// is reset.
func (b *backend) kill() {
	b.mu.Lock()
	l, srv := b.listener, b.srv
	b.mu.Unlock()
	l.Close()
	l.cut()
	srv.Stop()
}

// accepted is how many connections were made to this backend.
func (b *backend) accepted() int {
	b.mu.Lock()
	l := b.listener
	b.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// listener remembers its connections, to be able to reset them.
type listener struct {
	net.Listener
	mu       sync.Mutex // guards what follows
	conns    []net.Conn
	accepted int
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.accepted++
		l.mu.Unlock()
	}
	return c, err
}

func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not a polite end
		}
		c.Close()
	}
	l.conns = nil
}

// world is a registry, a mesh over it, and a check at the very end that
// nothing of either is left running.
type world struct {
	tb       testing.TB
	registry *discovery.Memory
	mesh     *transport.Mesh
}

func newWorld(tb testing.TB, opts ...transport.Option) *world {
	tb.Helper()
	leakCheck(tb)
	w := &world{tb: tb, registry: new(discovery.Memory)}
	w.mesh = newMesh(tb, w.registry, opts...)
	return w
}

// newMesh makes a mesh that calls every instance sooner or later, however slow
// this machine made one of them look.
func newMesh(tb testing.TB, registry discovery.Registry, opts ...transport.Option) *transport.Mesh {
	tb.Helper()
	mesh, err := transport.New(registry, append([]transport.Option{
		transport.WithLogger(slog.New(slog.DiscardHandler)), transport.WithPolicy(balancer.Random{}),
	}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mesh.Close(context.Background()) })
	return mesh
}

// inTurnInAnyCase chooses the instances in turn, and passes over nobody.
func inTurnInAnyCase() transport.Option {
	return transport.WithBalancing(balancer.Balancing{Policy: balancer.RoundRobin{}, OutlierDetection: balancer.OutlierDetection{Off: true}})
}

// announce registers backends as instances of service "orders".
func (w *world) announce(backends ...*backend) {
	w.tb.Helper()
	for _, b := range backends {
		w.register(discovery.Instance{ID: b.id, Service: "orders", Addr: b.addr})
	}
}

func (w *world) register(i discovery.Instance) discovery.Registration {
	w.tb.Helper()
	r, err := w.registry.Register(context.Background(), i)
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// withdraw takes an instance out of the registry again.
func withdraw(tb testing.TB, r discovery.Registration) {
	tb.Helper()
	if err := r.Close(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

// dial returns a client of mesh:///orders with all dial options.
func (w *world) dial(opts ...grpc.DialOption) *grpc.ClientConn {
	w.tb.Helper()
	return dial(w.tb, "mesh:///orders", append(fairgrpc.DialOptions(w.mesh), opts...)...)
}

func dial(tb testing.TB, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	conn, err := grpc.NewClient(target, append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn
}

// node returns what the mesh knows of an instance.
func (w *world) node(id string) transport.NodeDump {
	w.tb.Helper()
	for _, s := range w.mesh.Dump().Services {
		for _, n := range s.Instances {
			if n.ID == id {
				return n
			}
		}
	}
	w.tb.Fatalf("the mesh does not know instance %s", id)
	panic("unreachable")
}

// attempts returns the attempts at service "orders" by outcome.
func (w *world) attempts() map[string]int64 {
	for _, s := range w.mesh.Dump().Services {
		if s.Service == "orders" {
			return s.Attempts
		}
	}
	return nil
}

// limit is how long anything may take that should be over at once.
const limit = 20 * time.Second

func within(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	tb.Cleanup(cancel)
	return ctx
}

// call makes a unary call and returns the answer.
func call(ctx context.Context, conn *grpc.ClientConn, method, in string, opts ...grpc.CallOption) (string, error) {
	out := new(wrapperspb.StringValue)
	err := conn.Invoke(ctx, method, wrapperspb.String(in), out, opts...)
	return out.Value, err
}

func mustCall(tb testing.TB, conn *grpc.ClientConn, method, in string, opts ...grpc.CallOption) string {
	tb.Helper()
	out, err := call(within(tb), conn, method, in, opts...)
	if err != nil {
		tb.Fatalf("%s: %v", method, err)
	}
	return out
}

// warm calls until every backend has answered, so that all are connected.
func warm(tb testing.TB, conn *grpc.ClientConn, backends ...*backend) {
	tb.Helper()
	for _, b := range backends {
		b.executed.Store(0)
	}
	eventually(tb, "every instance answers", func() bool {
		mustCall(tb, conn, get, "warm")
		return !slices.ContainsFunc(backends, func(b *backend) bool { return b.executed.Load() == 0 })
	})
	for _, b := range backends {
		b.executed.Store(0)
	}
}

// open opens a stream.
func open(ctx context.Context, conn *grpc.ClientConn, method string) (grpc.ClientStream, error) {
	desc := &grpc.StreamDesc{ServerStreams: method != upload, ClientStreams: method != watch}
	return conn.NewStream(ctx, desc, method)
}

// eventually waits for a condition.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// leakCheck fails the test if it leaves goroutines behind. It has to be called
// before anything is started.
func leakCheck(tb testing.TB) {
	before := runtime.NumGoroutine()
	tb.Cleanup(func() {
		if tb.Failed() {
			return
		}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(limit); runtime.NumGoroutine() > before; <-tick.C {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<16)
				tb.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// settled returns the number of goroutines once it no longer falls.
func settled(tb testing.TB) int {
	tb.Helper()
	least, since := runtime.NumGoroutine(), time.Now()
	eventually(tb, "goroutines settle", func() bool {
		if now := runtime.NumGoroutine(); now < least {
			least, since = now, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	})
	return least
}

// incoming is the metadata that a handler was called with.
func incoming(ctx context.Context, key string) []string {
	md, _ := metadata.FromIncomingContext(ctx)
	return md.Get(key)
}

func (w *world) dialOptions() []grpc.DialOption { return fairgrpc.DialOptions(w.mesh) }

func setValue(reply any, to string) { reply.(*wrapperspb.StringValue).Value = to }

// bareOptions are those of a client that has the resolver and no interceptors.
func (w *world) bareOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithResolvers(fairgrpc.Resolver(w.mesh)), grpc.WithDisableRetry()}
}
