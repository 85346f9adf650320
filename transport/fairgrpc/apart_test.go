package fairgrpc_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// ends are the client's ends of the connections that a server has seen calls on, by
// the priority of these.
type ends struct {
	mu  sync.Mutex
	all map[string]map[string]bool
}

func (e *ends) see(ctx context.Context) {
	p, _ := peer.FromContext(ctx)
	said := append(incoming(ctx, "fairlead-priority"), "")[0]
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all[said] == nil {
		e.all[said] = map[string]bool{}
	}
	e.all[said][p.Addr.String()] = true
}

// watched has a backend note who calls it.
func (e *ends) watch(b *backend) {
	e.all = map[string]map[string]bool{}
	b.unary = func(ctx context.Context, _, _ string) (string, error) { e.see(ctx); return "", nil }
	b.stream = func(_ string, s grpc.ServerStream) error {
		e.see(s.Context())
		return s.SendMsg(wrapperspb.String(""))
	}
}

// ready is how many connections the mesh has to its only service.
func (w *world) ready() int64 {
	for _, s := range w.mesh.Dump().Services {
		if s.Connections != nil {
			return s.Connections.Ready
		}
	}
	return 0
}

// Sheddable calls share no connection with others once they have their own, which is
// made for the first of them, and not before. It counts as any other.
func TestSheddableCallsHaveConnectionsOfTheirOwn(t *testing.T) {
	for name, options := range map[string]func(*world) []grpc.DialOption{"WithInterceptors": (*world).dialOptions, "WithoutInterceptors": (*world).bareOptions} {
		for _, kind := range []string{"Unary", "Stream"} {
			t.Run(kind+name, func(t *testing.T) {
				b := start(t, "v1")
				var seen ends
				seen.watch(b)
				w := newWorld(t)
				w.announce(b)
				conn := dial(t, "mesh:///orders", options(w)...)
				ask := func(said ...transport.CallOption) {
					t.Helper()
					ctx, cancel := context.WithCancel(transport.WithCall(within(t), said...))
					defer cancel()
					var err error
					if kind == "Unary" {
						_, err = call(ctx, conn, get, "")
					} else if s, e := open(ctx, conn, chat); e != nil {
						err = e
					} else {
						err = s.RecvMsg(new(wrapperspb.StringValue))
					}
					if err != nil {
						t.Error(err)
					}
				}
				for range 5 {
					ask()
					ask(critical)
				}
				if got := b.accepted(); got != 1 || w.ready() != 1 {
					t.Fatalf("%d connections before any sheddable call, of which %d are known", got, w.ready())
				}
				ask(sheddable) // goes where all go
				eventually(t, "there is another connection", func() bool { return w.ready() == 2 })
				seen.watch(b)
				for range 5 {
					ask()
					ask(sheddable)
					ask(critical)
				}
				if got := b.accepted(); got != 2 {
					t.Errorf("%d connections, want one of each", got)
				}
				for end := range seen.all["sheddable"] {
					if seen.all[""][end] || seen.all["critical"][end] {
						t.Errorf("a connection is shared: %v", seen.all)
					}
				}
				conn.Close()
				eventually(t, "none are counted", func() bool { return w.ready() == 0 })
			})
		}
	}
}

// A sheddable stream takes all that a connection may carry, and holds up no other
// call.
func TestASheddableStreamHoldsUpNoOtherCall(t *testing.T) {
	b := start(t, "v1", grpc.MaxConcurrentStreams(1))
	release := make(chan struct{})
	begun := make(chan struct{})
	b.stream = func(_ string, s grpc.ServerStream) error {
		close(begun)
		<-release // and reads nothing
		return nil
	}
	w := newWorld(t)
	w.announce(b)
	conn := w.dial()
	bulk := transport.WithCall(within(t), sheddable)
	if _, err := call(bulk, conn, get, "first"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there are two connections", func() bool { return w.ready() == 2 })
	s, err := open(bulk, conn, upload)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	var sending sync.WaitGroup
	sending.Go(func() {
		line := wrapperspb.String(string(make([]byte, 32<<10)))
		for range 64 { // more than the windows allow
			if s.SendMsg(line) != nil {
				return
			}
		}
	})
	for range 5 {
		mustCall(t, conn, get, "x")
	}
	close(release)
	if err := s.RecvMsg(new(wrapperspb.StringValue)); err == nil {
		t.Error("the stream had an answer")
	}
	sending.Wait()
}

// The connections for sheddable calls come and go with the instances.
func TestConnectionsApartFollowTheList(t *testing.T) {
	a, b := start(t, "a"), start(t, "b")
	w := newWorld(t)
	w.announce(a)
	conn := w.dial()
	bulk := transport.WithCall(within(t), sheddable)
	if _, err := call(bulk, conn, get, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there are two connections", func() bool { return w.ready() == 2 })
	r := w.register(discovery.Instance{ID: "b", Service: "orders", Addr: b.addr})
	eventually(t, "the second instance has two as well", func() bool { return w.ready() == 4 && b.accepted() == 2 })
	withdraw(t, r)
	eventually(t, "those of the second are gone", func() bool { return w.ready() == 2 })
	if _, err := call(bulk, conn, get, ""); err != nil || a.accepted() != 2 {
		t.Errorf("%d connections to the first: %v", a.accepted(), err)
	}
}

// A sheddable call goes where all go while its own connection is not there, or lost.
func TestSheddableCallsDoNotDependOnTheirConnection(t *testing.T) {
	b := start(t, "v1")
	w := newWorld(t)
	w.announce(b)
	conn := w.dial()
	bulk := transport.WithCall(within(t), sheddable)
	mustCall(t, conn, get, "")
	if _, err := call(bulk, conn, get, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there are two connections", func() bool { return w.ready() == 2 })
	b.cut()
	for range 20 {
		if _, err := call(bulk, conn, get, ""); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "there are two connections again", func() bool { return w.ready() == 2 })
}

// The connections for sheddable calls end two minutes after the last of these, a stream
// on them goes on, and the next such call has them made again.
func TestConnectionsApartEndWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{Listener: bufconn.Listen(1 << 20)}
		b := &backend{id: "v1", stream: echo}
		b.unary = func(context.Context, string, string) (string, error) { return "", nil }
		srv := b.server()
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		registry := new(discovery.Memory)
		w := &world{tb: t, registry: registry, mesh: newMesh(t, registry)}
		w.register(discovery.Instance{ID: "v1", Service: "orders", Addr: "192.0.2.1:1"})
		conn := w.dial(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
		ask := func(said ...transport.CallOption) {
			t.Helper()
			if _, err := call(transport.WithCall(t.Context(), said...), conn, get, ""); err != nil {
				t.Error(err)
			}
		}
		has := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if got := l.open(); got != want || w.ready() != int64(want) {
				t.Errorf("%s: %d connections, of which %d are known, want %d", when, got, w.ready(), want)
			}
		}
		ask()
		has("at first", 1)
		ask(sheddable)
		has("with a sheddable call", 2)
		time.Sleep(time.Minute + 50*time.Second)
		ask(sheddable)
		time.Sleep(time.Minute + 50*time.Second)
		ask()
		has("before two minutes without one are over", 2)

		s, err := open(transport.WithCall(t.Context(), sheddable), conn, chat)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		if w.ready() != 1 {
			t.Errorf("%d connections are known after two minutes", w.ready())
		}
		in, out := wrapperspb.String("two sheep"), new(wrapperspb.StringValue)
		if err := s.SendMsg(in); err != nil {
			t.Error(err)
		}
		if err := s.RecvMsg(out); err != nil || out.Value != in.Value {
			t.Errorf("the stream answers %q: %v", out.Value, err)
		}
		_ = s.CloseSend()
		if err := s.RecvMsg(out); err != io.EOF {
			t.Errorf("the stream ends with %v", err)
		}
		has("after its stream", 1)
		ask(sheddable)
		has("with another sheddable call", 2)

		conn.Close()
		w.mesh.Close(context.Background())
		srv.Stop()
		<-served
	})
}

// pipes counts the connections that a server has.
type pipes struct {
	*bufconn.Listener
	mu sync.Mutex
	n  int
}

func (p *pipes) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	p.add(1)
	return &pipe{Conn: c, of: p}, nil
}

func (p *pipes) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n += n
}

func (p *pipes) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

type pipe struct {
	net.Conn
	of   *pipes
	once sync.Once
}

func (p *pipe) Close() error {
	p.once.Do(func() { p.of.add(-1) })
	return p.Conn.Close()
}
