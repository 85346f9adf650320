package fairgrpc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/attributes"
	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// connected stands for a child that is connected, broken for one that could
// not be.
type connected struct{ grpcbalancer.SubConn }

func (c *connected) Pick(grpcbalancer.PickInfo) (grpcbalancer.PickResult, error) {
	return grpcbalancer.PickResult{SubConn: c}, nil
}

type broken struct{ err error }

func (b broken) Pick(grpcbalancer.PickInfo) (grpcbalancer.PickResult, error) {
	return grpcbalancer.PickResult{}, b.err
}

// bench is a door to service "orders" with one node per ID.
func bench(tb testing.TB, ids ...string) (*bound, []*balancer.Node) {
	tb.Helper()
	return benchWith(tb, nil, ids...)
}

func benchWith(tb testing.TB, options []transport.Option, ids ...string) (*bound, []*balancer.Node) {
	tb.Helper()
	var listed []discovery.Instance
	for _, id := range ids {
		listed = append(listed, discovery.Instance{ID: id, Service: "orders", Addr: "10.0.0.1:80"})
	}
	registry, err := discovery.NewStatic(listed...)
	if err != nil {
		tb.Fatal(err)
	}
	mesh, err := transport.New(registry, append(options, transport.WithLogger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mesh.Close(context.Background()) })
	views, err := mesh.Views(tb.Context(), "orders")
	if err != nil {
		tb.Fatal(err)
	}
	for view := range views {
		return &bound{door: newDoor(mesh), service: "orders"}, view.Nodes
	}
	tb.Fatal("no view")
	return nil, nil
}

// pickerOf is the picker of a channel whose connections are in these states.
func pickerOf(b *bound, states []endpointsharding.ChildState) *picker {
	tell(states)
	return &picker{bound: b, children: newChildren(states, false)}
}

func childOf(n *balancer.Node, state connectivity.State, p grpcbalancer.Picker) endpointsharding.ChildState {
	return endpointsharding.ChildState{
		Endpoint: resolver.Endpoint{Attributes: attributes.New(instancesKey{}, &instances{nodes: []*balancer.Node{n}, opening: &opening{began: balancer.Now()}, renew: func() {}})},
		State:    grpcbalancer.State{ConnectivityState: state, Picker: p},
	}
}

// G1: what a pick that found nobody makes gRPC do. It never blocks. A status
// ends the call even if it wants to wait; a plain error does not, and must not
// be taken for a status because of its causes.
func TestG1WhatAPickWithoutResultMeans(t *testing.T) {
	const (
		wait   = "wait for the next picker"
		plain  = "fail, or wait until ready"
		ending = "fail"
	)
	b, nodes := bench(t, "a", "b")
	refused := broken{errors.New("connection refused")}
	foreign := broken{status.Error(codes.NotFound, "somebody's status")}
	nobody, _ := bench(t)
	closed, _ := bench(t)
	closed.service = "never called"
	closed.door.mesh.Close(t.Context())
	for _, tt := range []struct {
		name     string
		bound    *bound
		children []endpointsharding.ChildState
		want     string
	}{
		{"all connecting", b, []endpointsharding.ChildState{
			childOf(nodes[0], connectivity.Connecting, refused), childOf(nodes[1], connectivity.Idle, refused)}, wait},
		{"one broken, one connecting", b, []endpointsharding.ChildState{
			childOf(nodes[0], connectivity.TransientFailure, refused), childOf(nodes[1], connectivity.Connecting, refused)}, wait},
		{"one broken, one not heard of by the channel yet", b, []endpointsharding.ChildState{
			childOf(nodes[0], connectivity.TransientFailure, refused)}, wait},
		{"none heard of by the channel yet", b, nil, wait},
		{"all broken", b, []endpointsharding.ChildState{
			childOf(nodes[0], connectivity.TransientFailure, refused), childOf(nodes[1], connectivity.TransientFailure, refused)}, plain},
		{"all broken, by an error with a status", b, []endpointsharding.ChildState{
			childOf(nodes[0], connectivity.TransientFailure, foreign), childOf(nodes[1], connectivity.TransientFailure, foreign)}, plain},
		{"no instances", nobody, nil, plain},
		{"mesh closed", closed, nil, ending},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pickerOf(tt.bound, tt.children)
			_, err := p.Pick(grpcbalancer.PickInfo{Ctx: t.Context(), FullMethodName: "/x/Y"})
			got := plain
			if errors.Is(err, grpcbalancer.ErrNoSubConnAvailable) {
				got = wait
			} else if _, ok := status.FromError(err); ok {
				got = ending
			}
			if err == nil || got != tt.want {
				t.Errorf("gRPC would %s, want %s: %v", got, tt.want, err)
			}
		})
	}
}

// A node's number may pass to another node: a picker that knew the first does
// not take the second for it.
func TestPickerComparesNodesNotNumbers(t *testing.T) {
	b, nodes := bench(t, "a")
	other := balancer.NewNode(discovery.Instance{ID: "other"}, nodes[0].Index())
	p := pickerOf(b, []endpointsharding.ChildState{childOf(other, connectivity.Ready, new(connected))})
	if p.child(nodes[0]) != nil || p.child(other) == nil {
		t.Error("one node was taken for another of the same number")
	}
	if far := balancer.NewNode(discovery.Instance{ID: "far"}, 1_000); p.child(far) != nil {
		t.Error("a node beyond the table was found")
	}
}

// Trap (1) of gRPC's picker wrapper: a connection that is lost between the
// pick and its use ends the pick without an error. That is no success: the
// lease is returned, and nobody is judged.
func TestG2PickThatNeverRanIsNeutral(t *testing.T) {
	b, nodes := bench(t, "a")
	p := pickerOf(b, []endpointsharding.ChildState{childOf(nodes[0], connectivity.Ready, new(connected))})
	result, err := p.Pick(grpcbalancer.PickInfo{Ctx: t.Context(), FullMethodName: "/x/Y"})
	if err != nil {
		t.Fatal(err)
	}
	if got := nodes[0].Outstanding(); got != 1 {
		t.Errorf("%d outstanding after the pick", got)
	}
	result.Done(grpcbalancer.DoneInfo{})
	if got := nodes[0].Outstanding(); got != 0 {
		t.Errorf("%d outstanding after Done", got)
	}
	if got := b.door.mesh.Dump().Services[0].Attempts; got["neutral"] != 1 || got["success"] != 0 {
		t.Errorf("attempts are %v", got)
	}
	if s := nodes[0].Stats(balancer.Now()); s.Latency != 0 {
		t.Errorf("the pick left a latency of %v", s.Latency)
	}
}

// A broken stream whose cause comes out only after its Done, as gRPC has it
// when the message could not be sent any more, is what the cause says.
func TestErrorThatComesAfterDone(t *testing.T) {
	for _, tt := range []struct {
		name     string
		done     grpcbalancer.DoneInfo
		err      error
		want     transport.Class
		answered bool
	}{
		{"never told, the end of a stream instead", grpcbalancer.DoneInfo{BytesSent: true}, io.EOF, transport.Lost, false},
		{"connection lost", grpcbalancer.DoneInfo{BytesSent: true}, status.Error(codes.Unavailable, ""), transport.Lost, false},
		{"refused by an answer", grpcbalancer.DoneInfo{BytesSent: true, BytesReceived: true}, status.Error(codes.PermissionDenied, ""), transport.Success, true},
		{"overloaded", grpcbalancer.DoneInfo{BytesSent: true, BytesReceived: true}, status.Error(codes.Unavailable, ""), transport.Overload, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, nodes := bench(t, "a")
			p := pickerOf(b, []endpointsharding.ChildState{childOf(nodes[0], connectivity.Ready, new(connected))})
			r := &rpc{Context: t.Context(), door: b.door, call: transport.Call{Service: "orders", Protocol: discovery.GRPC}}
			r.begin(r.Context)
			result, err := p.Pick(grpcbalancer.PickInfo{Ctx: r, FullMethodName: "/x/Y"})
			if err != nil {
				t.Fatal(err)
			}
			result.Done(tt.done)
			got := r.outcome(tt.err)
			if got.Class != tt.want || got.Answered != tt.answered || !got.Sent {
				t.Errorf("%+v", got)
			}
			if _, ok := status.FromError(got.Err); !ok || tt.err != io.EOF && got.Err != tt.err {
				t.Errorf("error is %v", got.Err)
			}
		})
	}
}

// Trap 31, locks and garbage in Pick: it allocates its Done and nothing else.
func TestTrap31PickAllocatesItsDoneOnly(t *testing.T) {
	b, nodes := bench(t, "a", "b", "c")
	var children []endpointsharding.ChildState
	for _, n := range nodes {
		children = append(children, childOf(n, connectivity.Ready, new(connected)))
	}
	p := pickerOf(b, children)
	r := &rpc{Context: t.Context(), door: b.door}
	done := grpcbalancer.DoneInfo{BytesSent: true, BytesReceived: true}
	got := testing.AllocsPerRun(1000, func() {
		r.call = transport.Call{Service: "orders", Protocol: discovery.GRPC}
		result, err := p.Pick(grpcbalancer.PickInfo{Ctx: r, FullMethodName: "/x/Y"})
		if err != nil {
			t.Fatal(err)
		}
		result.Done(done)
	})
	if got != 1 {
		t.Errorf("%v allocations", got)
	}
}

// A child that was connected and has nothing to send on after all leaves no
// lease behind.
func TestLeaseIsReturnedWhenTheChildRefuses(t *testing.T) {
	b, nodes := bench(t, "a")
	p := pickerOf(b, []endpointsharding.ChildState{childOf(nodes[0], connectivity.Ready, broken{grpcbalancer.ErrNoSubConnAvailable})})
	if _, err := p.Pick(grpcbalancer.PickInfo{Ctx: t.Context(), FullMethodName: "/x/Y"}); !errors.Is(err, grpcbalancer.ErrNoSubConnAvailable) {
		t.Errorf("error is %v", err)
	}
	if got := b.door.mesh.Dump().Services[0].Attempts; nodes[0].Outstanding() != 0 || got["neutral"] != 1 {
		t.Errorf("%d outstanding, attempts are %v", nodes[0].Outstanding(), got)
	}
}

// told is a channel as a balancer sees it.
type told struct {
	grpcbalancer.ClientConn
	states []grpcbalancer.State
}

func (c *told) UpdateState(s grpcbalancer.State) { c.states = append(c.states, s) }

// A balancer that was never given a list of ours says so once, and nothing
// that comes later makes a picker out of nothing.
func TestPolicyWithoutAListOfOurs(t *testing.T) {
	c := new(told)
	p := policyBuilder{}.Build(c, grpcbalancer.BuildOptions{})
	defer p.Close()
	if err := p.UpdateClientConnState(grpcbalancer.ClientConnState{}); !errors.Is(err, errNotOurs) {
		t.Errorf("error is %v", err)
	}
	p.ResolverError(errors.New("trouble"))
	p.ExitIdle()
	if len(c.states) != 1 {
		t.Fatalf("the channel was told %d times", len(c.states))
	}
	if _, err := c.states[0].Picker.Pick(grpcbalancer.PickInfo{Ctx: t.Context()}); !errors.Is(err, errNotOurs) {
		t.Errorf("a pick says %v", err)
	}
}

// Once it is over, the error of the end stays, whatever connections still do: calls
// that wait would go on waiting with another picker.
func TestNothingComesAfterAFinalError(t *testing.T) {
	c := new(told)
	p := policyBuilder{}.Build(c, grpcbalancer.BuildOptions{}).(*policy)
	defer p.Close()
	p.bound, _ = bench(t, "a")
	closed := status.Error(codes.Unavailable, "the mesh is closed")
	p.ResolverError(closed)
	p.UpdateState(grpcbalancer.State{ConnectivityState: connectivity.TransientFailure, Picker: broken{io.EOF}})
	last := c.states[len(c.states)-1]
	if _, err := last.Picker.Pick(grpcbalancer.PickInfo{Ctx: t.Context(), FullMethodName: "/x/Y"}); err != closed {
		t.Errorf("a pick says %v", err)
	}
}

// What a breaker lets through for it to find out comes back where gRPC picks in
// vain, or picks again: a place that leaked would keep it from closing.
func TestHalfOpenPlaceIsReturned(t *testing.T) {
	config := breaker.Config{ConsecutiveFailures: 1, OpenFor: time.Millisecond, ProbeTimeout: time.Hour}
	for _, scope := range []rule.Scope{rule.PerService, rule.PerMethod, rule.PerInstance} {
		for name, inVain := range map[string]func(*testing.T, *picker, *picker, grpcbalancer.PickInfo){
			"the child has nothing to send on": func(t *testing.T, _, broken *picker, info grpcbalancer.PickInfo) {
				if _, err := broken.Pick(info); err == nil {
					t.Fatal("it was picked for")
				}
			},
			"the connection was gone": func(t *testing.T, whole, _ *picker, info grpcbalancer.PickInfo) {
				result, err := whole.Pick(info)
				if err != nil {
					t.Fatal(err)
				}
				result.Done(grpcbalancer.DoneInfo{})
			},
		} {
			t.Run(scope.String()+"/"+name, func(t *testing.T) {
				b, nodes := benchWith(t, []transport.Option{transport.WithBreaker(scope, config)}, "a")
				whole := pickerOf(b, []endpointsharding.ChildState{childOf(nodes[0], connectivity.Ready, new(connected))})
				refuses := pickerOf(b, []endpointsharding.ChildState{childOf(nodes[0], connectivity.Ready, broken{grpcbalancer.ErrNoSubConnAvailable})})
				info := grpcbalancer.PickInfo{Ctx: t.Context(), FullMethodName: "/x/Y"}
				first, err := whole.Pick(info)
				if err != nil {
					t.Fatal(err)
				}
				first.Done(grpcbalancer.DoneInfo{Err: status.Error(codes.Internal, ""), BytesSent: true, BytesReceived: true})
				time.Sleep(2 * time.Millisecond) // it is open, and may find out
				for range 3 {
					inVain(t, whole, refuses, info)
				}
				probe, err := whole.Pick(info)
				if err != nil {
					t.Fatalf("the place is lost: %v", err)
				}
				probe.Done(grpcbalancer.DoneInfo{BytesSent: true, BytesReceived: true})
				d := b.door.mesh.Dump().Services[0].Breakers
				if d.States["closed"] != 1 || d.Overruled != 0 {
					t.Errorf("%+v", d)
				}
			})
		}
	}
}
