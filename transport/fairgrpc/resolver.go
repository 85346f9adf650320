package fairgrpc

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// Scheme is the scheme of the targets that fairlead resolves: mesh:///orders.
const Scheme = "mesh"

// Resolver returns a resolver for code whose dial options are out of reach:
// after
//
//	resolver.Register(fairgrpc.Resolver(mesh))
//
// in an init or early in main, every client of target mesh:///orders in the
// process chooses its instances through the mesh, since the resolver brings
// the balancer with it. It cannot bring interceptors, so there is no call
// half: nothing is tried again, errors are gRPC's own, and of the rules those
// hold that say where a call goes. Nor can it bring a dialer that checks what a
// host name has become, so that a mesh which allows those
// ([discovery.Reach].Hostnames) needs a client with a dialer of its own. Whoever
// can pass options passes [DialOptions].
func Resolver(mesh *transport.Mesh) resolver.Builder { return builder{newDoor(mesh)} }

type builder struct{ door *door }

func (builder) Scheme() string { return Scheme }

// Build begins to follow a service. Only a bad target is an error here, since
// gRPC does not ask again after one; all other trouble may pass and is
// reported on the way.
func (b builder) Build(target resolver.Target, cc resolver.ClientConn, o resolver.BuildOptions) (resolver.Resolver, error) {
	service := target.Endpoint()
	if target.URL.Host != "" {
		return nil, &discovery.FieldError{Field: "target", Value: target.URL.String(), Allowed: "mesh:///service, with three slashes: there are no named meshes"}
	}
	if err := discovery.ValidateService(service); err != nil {
		return nil, err
	}
	if o.Dialer == nil && b.door.mesh.Reach().Hostnames {
		return nil, &discovery.FieldError{Field: "Reach.Hostnames", Value: true, Allowed: "false for a client without a dialer to check what names become: use fairgrpc.DialOptions"}
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{bound: &bound{door: b.door, service: service}, cc: cc, config: cc.ParseServiceConfig(serviceConfig), cancel: cancel}
	f.bound.apart.part = f.part
	f.loop.Go(func() { f.follow(ctx) })
	return f, nil
}

// serviceOf returns the service that a client's target names; ok is false if
// the target is none of ours, or one that Build refuses for its authority.
func serviceOf(target string) (service string, ok bool) {
	const prefix = Scheme + ":"
	if len(target) < len(prefix) || !strings.EqualFold(target[:len(prefix)], prefix) {
		return "", false
	}
	path, hasAuthority := strings.CutPrefix(target[len(prefix):], "//")
	if hasAuthority && !strings.HasPrefix(path, "/") {
		return "", false
	}
	return strings.TrimPrefix(path, "/"), true
}

// bound is what a channel is bound to. It travels from the resolver to the
// balancer in resolver.State.Attributes: the balancer's builder, which gRPC
// wants registered once for the process, knows no mesh.
type bound struct {
	door    *door
	service string
	apart   apart
}

type boundKey struct{}

// instances are the nodes at one address. It travels in Endpoint.Attributes,
// which may change while the connection stays. There is more than one when an
// instance restarted at its old address before the record of its earlier run
// is gone: gRPC keeps one connection per address, which serves both.
type instances struct {
	nodes []*balancer.Node
	*opening
	renew func() // has silent connections replaced
}

// opening is what has become of the connection to an address since it was first
// called.
type opening struct {
	began time.Duration
	ended atomic.Bool // it was ready, or failed
	silence
	aside silence // of the connection for sheddable calls
}

type (
	instancesKey  struct{}
	connectionKey struct{}
)

// follower is the resolver of one channel.
type follower struct {
	*bound
	cc     resolver.ClientConn
	config *serviceconfig.ParseResult
	cancel context.CancelFunc
	loop   sync.WaitGroup // one goroutine, follow, and for a moment one that renews; ended by Close

	mu       sync.Mutex // guards what follows; no call waits for it
	closed   bool
	renewing bool
	parted   *time.Timer // ends the time of the connections apart; nil: there never was one

	pushing sync.Mutex            // guards what follows, and lets one list at a time go to gRPC
	called  []*balancer.Node      // the last list
	at      map[string]*instances // of the last list, by address
}

// Close ends the loop and waits for it: gRPC builds and closes a resolver each
// time a channel goes through idleness.
func (f *follower) Close() {
	f.cancel()
	f.mu.Lock()
	f.closed = true
	if f.parted != nil {
		f.parted.Stop()
	}
	f.mu.Unlock()
	f.loop.Wait()
}

// ResolveNow is a hint that comes with every lost connection. The mesh watches
// anyway.
func (f *follower) ResolveNow(resolver.ResolveNowOptions) {}

// follow hands those that are called on to the channel. They are of lists that
// are known, so that nobody is the truth, and trouble of the registry changes
// nothing that a channel already has.
func (f *follower) follow(ctx context.Context) {
	if err := f.first(ctx); err != nil {
		f.report(err)
	}
	called, err := f.door.mesh.Called(ctx, f.service, discovery.GRPC)
	if err != nil {
		f.report(err)
		return
	}
	for nodes := range called {
		f.push(func() { f.called = nodes })
	}
	if ctx.Err() == nil {
		f.report(transport.ErrClosed)
	}
}

// push hands the list on to the channel, after it was changed.
func (f *follower) push(change func()) {
	f.pushing.Lock()
	defer f.pushing.Unlock()
	change()
	// The error says that the balancer wants another list. There is none.
	_ = f.cc.UpdateState(f.state(f.called))
}

// renew hands the last list on once more, in which silent connections have other
// numbers, or in which there are connections apart or no longer. It does not wait.
func (f *follower) renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.renewing {
		return
	}
	f.renewing = true
	f.loop.Go(func() {
		f.push(func() {
			f.mu.Lock()
			f.renewing = false
			f.mu.Unlock()
		})
	})
}

// report lets calls fail where the channel has no list. Those that wait until
// ready go on waiting, since the error is plain text, whatever its causes are:
// with a gRPC status among them, such as that of an etcd client, they would
// end. Only a closed mesh ends them, for that does not pass.
func (f *follower) report(err error) {
	if errors.Is(err, transport.ErrClosed) {
		f.cc.ReportError(status.Error(codes.Unavailable, err.Error()))
		return
	}
	f.cc.ReportError(errors.New(err.Error()))
}

func (f *follower) state(called []*balancer.Node) resolver.State {
	endpoints := make([]resolver.Endpoint, 0, len(called))
	at := make(map[string]*instances, len(called))
	policed, now := f.policed(), balancer.Now()
	for _, n := range called {
		addr := n.Endpoint(discovery.GRPC)
		if addr == "" {
			continue
		}
		if there := at[addr]; there != nil {
			there.nodes = append(there.nodes, n)
			continue
		}
		one := &instances{nodes: []*balancer.Node{n}, renew: f.renew}
		if before := f.at[addr]; before != nil {
			one.opening = before.opening
		} else {
			one.opening = &opening{began: now}
		}
		at[addr] = one
		attributed := policed
		if number := one.number.Load(); number > 0 { // to gRPC it is another address, at the same place
			attributed = policed.WithValue(connectionKey{}, number)
		}
		endpoints = append(endpoints, resolver.Endpoint{
			Addresses:  []resolver.Address{{Addr: addr, Attributes: attributed}},
			Attributes: attributes.New(instancesKey{}, one),
		})
	}
	f.at = at
	return resolver.State{
		Endpoints:     endpoints,
		ServiceConfig: f.config,
		Attributes:    attributes.New(boundKey{}, f.bound),
	}
}

// first waits for the registry's first word, as a call does, and returns what
// a call would fail with now, nil if there is somebody to call.
func (f *follower) first(ctx context.Context) error {
	return f.door.mesh.Do(ctx, &transport.Call{Service: f.service, Protocol: discovery.GRPC, Probe: true}, glance{f.door})
}
