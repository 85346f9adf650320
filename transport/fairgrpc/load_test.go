package fairgrpc_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/orca"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// listening is a policy that goes by reports, which stay fresh for as long as a
// test may take on a busy machine. With three servers, more calls than most have
// is more than the second has.
var listening = transport.WithPolicy(balancer.Prequal{MaxAge: time.Minute, QRIF: 0.5})

// reporting is a backend that reports its load.
func reporting(tb testing.TB, id string, r *transport.LoadReporter) *backend {
	return start(tb, id, fairgrpc.ReportLoad(r)...)
}

// reportIn reads the report of a trailer.
func reportIn(t *testing.T, trailer metadata.MD) balancer.Load {
	t.Helper()
	values := trailer.Get(orca.Trailer)
	if len(values) != 1 {
		t.Fatalf("%d reports in %v", len(values), trailer)
	}
	load, err := orca.ParseBinary(values[0])
	if err != nil {
		t.Fatal(err)
	}
	return load
}

func TestTrailersReportTheLoad(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		failed bool
		silent bool // nothing is said of latency afterwards
	}{
		{"of a success", nil, false, false},
		{"of an answer that there is nothing", status.Error(codes.NotFound, "no"), false, false},
		{"of a failure", status.Error(codes.Internal, "no"), true, true},
		{"of a failure without a code", errors.New("no"), true, true},
		{"of one that has too much to do", status.Error(codes.Unavailable, "no"), true, true},
		{"of a code that nobody knows", status.Error(99, "no"), true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := new(transport.LoadReporter)
			b := reporting(t, "a", r)
			b.unary = func(context.Context, string, string) (string, error) { return "", tt.err }
			conn := dial(t, b.addr)
			var trailer metadata.MD
			call(within(t), conn, get, "x", grpc.Trailer(&trailer))
			if load := reportIn(t, trailer); load.InFlight != 1 {
				t.Errorf("it reports %+v", load)
			}
			eventually(t, "the call has ended", func() bool { return r.Load(balancer.Now()).InFlight == 0 })
			later := r.Load(balancer.Now() + time.Second)
			if (later.EPS > 0) != tt.failed || later.QPS == 0 || (later.Latency == 0) != tt.silent {
				t.Errorf("afterwards it is %+v", later)
			}
		})
	}
}

func TestStreamsReportTheLoad(t *testing.T) {
	r := new(transport.LoadReporter)
	b := reporting(t, "a", r)
	s, err := open(within(t), dial(t, b.addr), chat)
	if err != nil {
		t.Fatal(err)
	}
	in := wrapperspb.String("x")
	if err := errors.Join(s.SendMsg(in), s.RecvMsg(in)); err != nil {
		t.Fatal(err)
	}
	if got := r.Load(balancer.Now()).InFlight; got != 1 {
		t.Errorf("%d calls are in flight during a stream", got)
	}
	s.CloseSend()
	if err := s.RecvMsg(in); err != io.EOF {
		t.Fatal(err)
	}
	if load := reportIn(t, s.Trailer()); load.InFlight != 1 {
		t.Errorf("it reports %+v", load)
	}
	eventually(t, "the stream has ended", func() bool { return r.Load(balancer.Now()).InFlight == 0 })
	if got := r.Load(balancer.Now()); got.Latency != 0 {
		t.Errorf("the length of a stream is taken for latency: %+v", got)
	}
}

func TestAClientThatGivesUpIsNoFailure(t *testing.T) {
	r := new(transport.LoadReporter)
	b := reporting(t, "a", r)
	ctx, cancel := context.WithCancel(within(t))
	b.unary = func(ctx context.Context, _, _ string) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	}
	call(ctx, dial(t, b.addr), get, "x")
	eventually(t, "the call counts", func() bool { return r.Load(balancer.Now()+time.Second).QPS > 0 })
	if got := r.Load(balancer.Now() + time.Second); got.EPS != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestReportsOfTrailersReachTheNode(t *testing.T) {
	full := balancer.Load{Utilization: 0.5, QPS: 1024, EPS: 2, InFlight: 3, Latency: 8 * time.Millisecond}
	binary := string(orca.AppendBinary(nil, full))
	tests := []struct {
		name    string
		values  []string
		want    balancer.Load
		refused int64
	}{
		{"none", nil, balancer.Load{}, 0},
		{"one", []string{binary}, full, 0},
		{"an empty one", []string{""}, balancer.Load{}, 0},
		{"malformed", []string{"much"}, balancer.Load{}, 1},
		{"two", []string{binary, binary}, balancer.Load{}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, listening)
			a, b := start(t, "a"), start(t, "b")
			for _, s := range []*backend{a, b} {
				s.unary = func(ctx context.Context, _, _ string) (string, error) {
					return "", grpc.SetTrailer(ctx, metadata.MD{orca.Trailer: tt.values})
				}
			}
			w.announce(a, b)
			conn := w.dial()
			mustCall(t, conn, get, "x")
			id := "a"
			if b.executed.Load() > 0 {
				id = "b"
			}
			got := w.node(id).Stats.Reported
			if got == nil {
				got = new(balancer.Reported)
			}
			if got.Latency = got.Latency.Round(time.Microsecond); got.Load != tt.want || got.Refused != tt.refused {
				t.Errorf("got %+v, want %+v, %d refused", got, tt.want, tt.refused)
			}
			if refused := w.mesh.Dump().Services[0].RefusedReports; refused != tt.refused {
				t.Errorf("the service counts %d refused, want %d", refused, tt.refused)
			}
		})
	}
}

// A policy that asks for no reports has none, whatever servers say.
func TestReportsAreNotReadUnlessSomebodyAsks(t *testing.T) {
	w := newWorld(t)
	a := reporting(t, "a", new(transport.LoadReporter))
	w.announce(a)
	mustCall(t, w.dial(), get, "x")
	if got := w.node("a").Stats.Reported; got != nil {
		t.Errorf("got %+v", got)
	}
}

// Three servers of which one has much to do for others: the client hears of it
// in the first answers, and calls the other two.
func TestPrequalLeavesABusyServer(t *testing.T) {
	w := newWorld(t, listening)
	release := make(chan struct{})
	var backends []*backend
	for _, id := range []string{"a", "b", "c"} {
		b := reporting(t, id, &transport.LoadReporter{Utilization: func() float64 { return 0.25 }})
		b.unary = func(_ context.Context, _, in string) (string, error) {
			if in == "slow" {
				<-release
			}
			return "", nil
		}
		backends = append(backends, b)
	}
	busy := backends[1]
	direct := dial(t, busy.addr)
	var others sync.WaitGroup
	for range 20 {
		others.Go(func() { call(within(t), direct, get, "slow") })
	}
	defer others.Wait()
	defer close(release)
	eventually(t, "the server is busy", func() bool { return busy.executed.Load() == 20 })

	w.announce(backends...)
	conn := w.dial()
	calls := func(n int) {
		for range n {
			mustCall(t, conn, get, "x")
		}
	}
	eventually(t, "all have reported a latency and a rate", func() bool {
		calls(1)
		for _, b := range backends {
			if said := w.node(b.id).Stats.Reported; said == nil || said.Latency == 0 {
				return false
			}
		}
		return true
	})
	if got := w.node(busy.id).Stats.Reported; got.InFlight != 21 {
		t.Errorf("the busy server reports %d calls in flight, it has 20 and the one that is answered", got.InFlight)
	}
	before := busy.executed.Load()
	calls(200)
	if got := busy.executed.Load() - before; got > 10 {
		t.Errorf("the busy server got %d of 200 calls", got)
	}
	eventually(t, "a server has reported what makes a weight", func() bool {
		calls(1)
		for _, id := range []string{"a", "c"} {
			if said := w.node(id).Stats.Reported; said.QPS > 0 && said.Utilization == 0.25 && said.EPS == 0 {
				return true
			}
		}
		return false
	})
}

// One of two servers is three times as busy as the other: it gets fewer calls,
// by the weights of gRFC A58.
func TestReportsMakeWeights(t *testing.T) {
	policy := balancer.WeightedRoundRobin{Reported: true, ReportedWeights: balancer.ReportedWeights{BlackoutPeriod: -1}}
	w := newWorld(t, transport.WithPolicy(policy))
	busy := reporting(t, "busy", &transport.LoadReporter{Utilization: func() float64 { return 0.9 }})
	idle := reporting(t, "idle", &transport.LoadReporter{Utilization: func() float64 { return 0.3 }})
	w.announce(busy, idle)
	conn := w.dial()
	eventually(t, "the busy server gets less than half of what the other gets", func() bool {
		busy.executed.Store(0)
		idle.executed.Store(0)
		for range 40 {
			mustCall(t, conn, get, "x")
		}
		return 2*busy.executed.Load() < idle.executed.Load()
	})
}
