package fairgrpc_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

var (
	critical  = transport.Priority(ratelimit.Critical)
	sheddable = transport.Priority(ratelimit.Sheddable)
	ordinary  = transport.Priority(ratelimit.Default)
	forVital  = transport.OnBehalfOf(ratelimit.Critical)
	forBulk   = transport.OnBehalfOf(ratelimit.Sheddable)
)

// What servers are told of the importance of unary calls and streams, with and
// without interceptors: what code says of it, else the lower of what the context and
// the metadata that are passed on say. The last value counts.
func TestPriorityGoesOut(t *testing.T) {
	said := func(values ...string) metadata.MD { return metadata.MD{fairgrpc.Priority: values} }
	for _, c := range []struct {
		name     string
		said     []transport.CallOption
		metadata metadata.MD
		want     string
	}{
		{"NothingIsSaid", nil, nil, ""},
		{"Critical", []transport.CallOption{critical}, nil, "critical"},
		{"Sheddable", []transport.CallOption{sheddable}, metadata.Pairs("tier", "gold"), "sheddable"},
		{"OnBehalfOfSheddable", []transport.CallOption{forBulk}, nil, "sheddable"},
		{"PassedOn", nil, said("critical"), "critical"},
		{"PassedOnInUpperCase", nil, metadata.Pairs("Fairlead-Priority", "critical"), "critical"},
		{"PassedOnBesideAnother", []transport.CallOption{transport.Key("42")}, said("sheddable"), "sheddable"},
		{"PassedOnAsLessThanTheContext", []transport.CallOption{forVital}, said("sheddable"), "sheddable"},
		{"PassedOnAsMoreThanTheContext", []transport.CallOption{forBulk}, said("critical"), "sheddable"},
		{"CodeLowersIt", []transport.CallOption{sheddable}, said("critical"), "sheddable"},
		{"CodeRaisesIt", []transport.CallOption{critical}, said("sheddable"), "critical"},
		{"SeveralAreOne", []transport.CallOption{critical}, said("sheddable", "sheddable"), "critical"},
		{"WhatCannotBeReadIsReplaced", []transport.CallOption{sheddable}, said("urgent"), "sheddable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, "v1")
			all := make(chan []string, 1)
			b.unary = func(ctx context.Context, _, _ string) (string, error) {
				all <- incoming(ctx, fairgrpc.Priority)
				return "", nil
			}
			b.stream = func(_ string, s grpc.ServerStream) error {
				all <- incoming(s.Context(), fairgrpc.Priority)
				return s.SendMsg(wrapperspb.String(""))
			}
			w := newWorld(t)
			w.announce(b)
			for name, call := range ways(w) {
				own := c.metadata.Copy()
				ctx := metadata.NewOutgoingContext(transport.WithCall(within(t), c.said...), own)
				if _, err := call(ctx); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got := <-all
				if last := slices.Concat([]string{""}, got); last[len(last)-1] != c.want {
					t.Errorf("%s: the server saw %q, want %q last", name, got, c.want)
				}
				if fmt.Sprint(own) != fmt.Sprint(c.metadata) {
					t.Errorf("%s: the caller's metadata is %v now", name, own)
				}
			}
		})
	}
}

// Code that takes away what the metadata says leaves a server with an ordinary call.
func TestPriorityIsTakenAway(t *testing.T) {
	b := start(t, "v1", fairgrpc.ServerOptions(fairgrpc.TrustPriority())...)
	w := newWorld(t)
	w.announce(b)
	last := start(t, "last")
	got := make(chan []string, 1)
	last.unary = func(ctx context.Context, _, _ string) (string, error) {
		got <- incoming(ctx, fairgrpc.Priority)
		return "", nil
	}
	w.register(discovery.Instance{ID: "last", Service: "last", Addr: last.addr})
	to := dial(t, "mesh:///last", w.dialOptions()...)
	b.unary = func(ctx context.Context, _, _ string) (string, error) { return call(ctx, to, get, "") }
	b.stream = func(_ string, s grpc.ServerStream) error {
		if _, err := call(s.Context(), to, get, ""); err != nil {
			return err
		}
		return s.SendMsg(wrapperspb.String(""))
	}
	for name, way := range ways(w) {
		ctx := metadata.AppendToOutgoingContext(transport.WithCall(within(t), ordinary), fairgrpc.Priority, "critical")
		if _, err := way(ctx); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if said := <-got; len(said) > 0 {
			t.Errorf("%s: the call that is made for it says %q", name, said)
		}
	}
}

// Three servers in a row, of which each calls the next with the context of what it is
// asked, and passes the metadata on or does not.
func TestPriorityOverThreeHops(t *testing.T) {
	trust := []fairgrpc.ServerOption{fairgrpc.TrustPriority()}
	for _, c := range []struct {
		name  string
		first []transport.CallOption
		trust []fairgrpc.ServerOption
		then  transport.CallOption // what the second server says of its call
		want  [3]string
	}{
		{"Default", nil, trust, nil, [3]string{}},
		{"Critical", []transport.CallOption{critical}, trust, nil, [3]string{"critical", "critical", "critical"}},
		{"CriticalOfWhomNobodyTrusts", []transport.CallOption{critical}, nil, nil, [3]string{"critical"}},
		{"Sheddable", []transport.CallOption{sheddable}, trust, nil, [3]string{"sheddable", "sheddable", "sheddable"}},
		{"SheddableOfWhomNobodyTrusts", []transport.CallOption{sheddable}, nil, nil, [3]string{"sheddable", "sheddable", "sheddable"}},
		{"LoweredOnTheWay", []transport.CallOption{critical}, trust, sheddable, [3]string{"critical", "critical", "sheddable"}},
		{"RaisedByCodeOnTheWay", []transport.CallOption{sheddable}, trust, critical, [3]string{"sheddable", "sheddable", "critical"}},
	} {
		for _, passing := range []bool{false, true} {
			for _, kind := range []string{"Unary", "Stream"} {
				t.Run(fmt.Sprintf("%s/%s/passing=%t", c.name, kind, passing), func(t *testing.T) {
					w := newWorld(t)
					ask := func(ctx context.Context, service string) error {
						conn := dial(t, "mesh:///"+service, w.dialOptions()...)
						if kind == "Unary" {
							_, err := call(ctx, conn, get, "")
							return err
						}
						s, err := open(ctx, conn, chat)
						if err != nil {
							return err
						}
						return s.RecvMsg(new(wrapperspb.StringValue))
					}
					seen := make(chan string, 3)
					next := map[string]string{"front": "middle", "middle": "back"}
					// serve is what each server does, once it knows what was said to it.
					serve := func(name string) func(ctx context.Context) error {
						return func(ctx context.Context) error {
							if name == "middle" && c.then != nil {
								ctx = transport.WithCall(ctx, c.then)
							}
							if passing {
								md, _ := metadata.FromIncomingContext(ctx)
								ctx = metadata.NewOutgoingContext(ctx, metadata.MD{fairgrpc.Priority: md[fairgrpc.Priority]})
							}
							if next[name] == "" {
								return nil
							}
							return ask(ctx, next[name])
						}
					}
					for _, name := range []string{"front", "middle", "back"} {
						look := func(ctx context.Context) {
							seen <- append(incoming(ctx, fairgrpc.Priority), "")[0]
						}
						opts := []grpc.ServerOption{
							grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
								look(ctx)
								return h(ctx, req)
							}),
							grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
								look(s.Context())
								return h(srv, s)
							}),
						}
						b := start(t, name, append(opts, fairgrpc.ServerOptions(c.trust...)...)...)
						b.unary = func(ctx context.Context, _, _ string) (string, error) { return "", serve(name)(ctx) }
						b.stream = func(_ string, s grpc.ServerStream) error {
							if err := serve(name)(s.Context()); err != nil {
								return err
							}
							return s.SendMsg(wrapperspb.String(""))
						}
						w.register(discovery.Instance{ID: name, Service: name, Addr: b.addr})
					}
					if err := ask(transport.WithCall(within(t), c.first...), "front"); err != nil {
						t.Fatal(err)
					}
					if got := [3]string{<-seen, <-seen, <-seen}; got != c.want {
						t.Errorf("the servers were told %q, want %q", got, c.want)
					}
				})
			}
		}
	}
}

// A handler does not see the word of a client that is not trusted, and sees all
// others.
func TestHandlersSeeWhatIsBelieved(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []fairgrpc.ServerOption
		said    []string
		sees    []string
	}{
		{"Critical", []fairgrpc.ServerOption{fairgrpc.TrustPriority()}, []string{"critical"}, []string{"critical"}},
		{"CriticalUntrusted", nil, []string{"critical"}, nil},
		{"Sheddable", nil, []string{"sheddable"}, []string{"sheddable"}},
		{"Unknown", nil, []string{"urgent"}, []string{"urgent"}},
		{"TheLastOfSeveral", nil, []string{"sheddable", "critical"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, "v1", fairgrpc.ServerOptions(c.options...)...)
			got := make(chan []string, 1)
			b.unary = func(ctx context.Context, _, _ string) (string, error) {
				if incoming(ctx, "tier")[0] != "gold" {
					t.Error("the rest of the metadata is lost")
				}
				got <- incoming(ctx, fairgrpc.Priority)
				return "", nil
			}
			conn := dial(t, b.addr) // not one of ours
			ctx := metadata.NewOutgoingContext(within(t), metadata.MD{fairgrpc.Priority: c.said, "tier": {"gold"}})
			if _, err := call(ctx, conn, get, ""); err != nil {
				t.Fatal(err)
			}
			if sees := <-got; !slices.Equal(sees, c.sees) {
				t.Errorf("the handler sees %q, want %q", sees, c.sees)
			}
		})
	}
}
