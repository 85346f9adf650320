package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	grpcmetadata "google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/discovery"
)

// script is the other end of streams of watches: the test says what comes next.
type script struct {
	opened  atomic.Int32
	running atomic.Int32
	asked   chan *pb.WatchRequest // what was sent
	told    chan *pb.WatchResponse
	failed  chan error
	leader  atomic.Bool // is required by the last stream
}

func newScript() *script {
	return &script{asked: make(chan *pb.WatchRequest, 100), told: make(chan *pb.WatchResponse), failed: make(chan error)}
}

func (s *script) watches(ctx context.Context) *watches { return &watches{ctx: ctx, client: s} }

// Watch implements pb.WatchClient.
func (s *script) Watch(ctx context.Context, _ ...grpc.CallOption) (pb.Watch_WatchClient, error) {
	s.opened.Add(1)
	s.running.Add(1)
	context.AfterFunc(ctx, func() { s.running.Add(-1) })
	md, _ := grpcmetadata.FromOutgoingContext(ctx)
	s.leader.Store(slices.Equal(md.Get(rpctypes.MetadataRequireLeaderKey), []string{rpctypes.MetadataHasLeader}))
	return scriptStream{script: s, ctx: ctx}, nil
}

type scriptStream struct {
	grpc.ClientStream
	*script
	ctx context.Context
}

func (s scriptStream) Send(r *pb.WatchRequest) error {
	if s.ctx.Err() != nil {
		return io.EOF
	}
	s.asked <- r
	return nil
}

func (s scriptStream) Recv() (*pb.WatchResponse, error) {
	select {
	case r := <-s.told:
		return r, nil
	case err := <-s.failed:
		return nil, err
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *script) say(r *pb.WatchResponse) { s.told <- r }

// create answers the next request for a watch, which it returns.
func (s *script) create(t *testing.T, id int64) *pb.WatchCreateRequest {
	t.Helper()
	r := (<-s.asked).GetCreateRequest()
	if r == nil {
		t.Error("what was asked for is not a watch")
	}
	s.say(&pb.WatchResponse{WatchId: id, Created: true})
	return r
}

// event is what etcd says of a watch whose key was written.
func event(id, revision int64) *pb.WatchResponse {
	return &pb.WatchResponse{WatchId: id, Events: []*mvccpb.Event{{Kv: &mvccpb.KeyValue{ModRevision: revision}}}}
}

// observer is a watch that runs, and what it was told.
type observer struct {
	revisions []int64
	words     int // without events
	stop      context.CancelFunc
	ended     chan error
	refuse    error // what deliver returns
}

func (s *script) start(t *testing.T, w *watches, prefix string) *observer {
	ctx, stop := context.WithCancel(t.Context())
	o := &observer{stop: stop, ended: make(chan error, 1)}
	go func() {
		o.ended <- w.watch(ctx, below(prefix), 7, func(r *pb.WatchResponse) error {
			if len(r.Events) == 0 {
				o.words++
			}
			for _, e := range r.Events {
				o.revisions = append(o.revisions, e.Kv.ModRevision)
			}
			return o.refuse
		})
	}()
	return o
}

// two starts two watches with the IDs 0 and 1.
func (s *script) two(t *testing.T) (*watches, *observer, *observer) {
	w := s.watches(t.Context())
	a := s.start(t, w, "a/")
	s.create(t, 0)
	b := s.start(t, w, "b/")
	s.create(t, 1)
	synctest.Wait()
	return w, a, b
}

func TestWatchesShareOneStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newScript()
		w := etcd.watches(t.Context())
		a := etcd.start(t, w, "a/")
		r := etcd.create(t, 0)
		if got := fmt.Sprintf("%s %s %d", r.Key, r.RangeEnd, r.StartRevision); got != "a/ a0 7" {
			t.Errorf("asked for %s", got)
		}
		b := etcd.start(t, w, "b/")
		etcd.create(t, 1)
		etcd.say(event(1, 8))
		etcd.say(event(0, 9))
		etcd.say(event(1, 10))
		etcd.say(&pb.WatchResponse{WatchId: -1}) // for all
		synctest.Wait()
		if !slices.Equal(a.revisions, []int64{9}) || !slices.Equal(b.revisions, []int64{8, 10}) || a.words != 1 || b.words != 1 {
			t.Errorf("told of %v and %v, and %d and %d words", a.revisions, b.revisions, a.words, b.words)
		}
		if n := etcd.opened.Load(); n != 1 {
			t.Errorf("%d streams, want 1", n)
		}
		if !etcd.leader.Load() {
			t.Error("the stream does not require a leader")
		}
		a.stop()
		<-a.ended
		if r := (<-etcd.asked).GetCancelRequest(); r == nil || r.WatchId != 0 {
			t.Errorf("etcd was told %v, want that watch 0 is over", r)
		}
		if etcd.running.Load() != 1 {
			t.Error("the stream ended with the first of its watches")
		}
		b.stop()
		<-b.ended
		synctest.Wait()
		if n := etcd.running.Load(); n != 0 {
			t.Errorf("%d streams are left when nobody watches", n)
		}
	})
}

// etcd's proxy gives watches IDs of its own, so only the order tells whose an
// answer is.
func TestWatchesAreCreatedOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newScript()
		w := etcd.watches(t.Context())
		a, b := etcd.start(t, w, "a/"), etcd.start(t, w, "b/")
		synctest.Wait()
		if n := len(etcd.asked); n != 1 {
			t.Fatalf("%d watches asked for at once, want 1", n)
		}
		byPrefix := map[string]*observer{"a/": a, "b/": b}
		first := etcd.create(t, 1)
		second := etcd.create(t, 0)
		etcd.say(event(1, 8))
		etcd.say(event(0, 9))
		synctest.Wait()
		for prefix, want := range map[string]int64{string(first.Key): 8, string(second.Key): 9} {
			if got := byPrefix[prefix].revisions; !slices.Equal(got, []int64{want}) {
				t.Errorf("the watch of %s was told of %v, want %d", prefix, got, want)
			}
		}
		a.stop()
		b.stop()
	})
}

// A watch that nobody wants any more before etcd has answered is taken back
// when its ID is known, and the answer is not taken for that of the next.
func TestAbandonedWatchIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newScript()
		w, a, _ := etcd.two(t)
		c := etcd.start(t, w, "c/")
		synctest.Wait()
		<-etcd.asked
		c.stop()
		if err := <-c.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("abandoned watch: %v", err)
		}
		d := etcd.start(t, w, "d/")
		synctest.Wait()
		if len(etcd.asked) != 0 {
			t.Error("another watch is asked for before the answer to the abandoned one")
		}
		etcd.say(&pb.WatchResponse{WatchId: 2, Created: true})
		synctest.Wait()
		var kinds []string
		for range len(etcd.asked) {
			switch r := <-etcd.asked; {
			case r.GetCancelRequest() != nil:
				kinds = append(kinds, fmt.Sprint("cancel ", r.GetCancelRequest().WatchId))
			case r.GetCreateRequest() != nil:
				kinds = append(kinds, "create "+string(r.GetCreateRequest().Key))
			}
		}
		slices.Sort(kinds)
		if !slices.Equal(kinds, []string{"cancel 2", "create d/"}) {
			t.Errorf("etcd was told %v", kinds)
		}
		etcd.say(&pb.WatchResponse{WatchId: 3, Created: true})
		etcd.say(event(2, 8)) // is still arriving
		etcd.say(event(3, 9))
		synctest.Wait()
		if !slices.Equal(d.revisions, []int64{9}) || len(a.revisions) != 0 {
			t.Errorf("told of %v and %v", d.revisions, a.revisions)
		}
	})
}

func TestWhatEndsAWatch(t *testing.T) {
	refused := errors.New("refused")
	for _, c := range []struct {
		name string
		end  func(etcd *script, a *observer)
		want error
		both bool // the other one ends, too
	}{
		{"Compaction", func(etcd *script, _ *observer) {
			etcd.say(&pb.WatchResponse{WatchId: 0, Canceled: true, CompactRevision: 50})
		}, rpctypes.ErrCompacted, false},
		{"NoPermissionAnyMore", func(etcd *script, _ *observer) {
			etcd.say(&pb.WatchResponse{WatchId: 0, Canceled: true, CancelReason: rpctypes.ErrGRPCPermissionDenied.Error()})
		}, discovery.ErrUnauthorized, false},
		{"SomeReason", func(etcd *script, _ *observer) {
			etcd.say(&pb.WatchResponse{WatchId: 0, Canceled: true, CancelReason: "a whim"})
		}, errWatchEnded, false},
		{"WhoIsToldRefuses", func(etcd *script, a *observer) {
			a.refuse = refused
			etcd.say(event(0, 8))
		}, refused, false},
		{"TokenExpired", func(etcd *script, _ *observer) {
			etcd.say(&pb.WatchResponse{WatchId: 0, Canceled: true, CancelReason: rpctypes.ErrGRPCInvalidAuthToken.Error()})
		}, errWatchEnded, true},
		{"NoLeader", func(etcd *script, _ *observer) { etcd.failed <- rpctypes.ErrGRPCNoLeader }, rpctypes.ErrNoLeader, true},
		{"StreamBreaks", func(etcd *script, _ *observer) { etcd.failed <- io.ErrUnexpectedEOF }, io.ErrUnexpectedEOF, true},
		{"AnswerToNobody", func(etcd *script, _ *observer) { etcd.say(&pb.WatchResponse{WatchId: 9, Created: true}) }, errWatchEnded, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				etcd := newScript()
				w, a, b := etcd.two(t)
				c.end(etcd, a)
				if err := named(<-a.ended); !errors.Is(err, c.want) {
					t.Errorf("ended with %v, want %v", err, c.want)
				}
				synctest.Wait()
				if both := len(b.ended) == 1; both != c.both {
					t.Fatalf("the other one ended as well: %t, want %t", both, c.both)
				}
				if c.both {
					b = etcd.start(t, w, "b/")
					etcd.create(t, 1)
				}
				etcd.say(event(1, 12))
				synctest.Wait()
				if got := b.revisions; !slices.Equal(got, []int64{12}) {
					t.Errorf("afterwards the other one is told of %v, want 12", got)
				}
				b.stop()
			})
		})
	}
}

// What etcd refuses to create ends that watch alone, at once.
func TestForbiddenWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newScript()
		w, _, b := etcd.two(t)
		c := etcd.start(t, w, "c/")
		<-etcd.asked
		etcd.say(&pb.WatchResponse{WatchId: -1, Created: true, Canceled: true, CancelReason: rpctypes.ErrGRPCPermissionDenied.Error()})
		if err := named(<-c.ended); !errors.Is(err, discovery.ErrUnauthorized) {
			t.Errorf("ended with %v, want ErrUnauthorized", err)
		}
		d := etcd.start(t, w, "d/")
		etcd.create(t, 2)
		etcd.say(event(2, 8))
		etcd.say(event(1, 9))
		synctest.Wait()
		if !slices.Equal(d.revisions, []int64{8}) || !slices.Equal(b.revisions, []int64{9}) {
			t.Errorf("afterwards told of %v and %v", d.revisions, b.revisions)
		}
	})
}

// The session ends, and with it all of its watches.
func TestWatchesEndWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newScript()
		ctx, end := context.WithCancel(t.Context())
		w := etcd.watches(ctx)
		a := etcd.start(t, w, "a/")
		etcd.create(t, 0)
		b := etcd.start(t, w, "b/") // has not been answered
		synctest.Wait()
		end()
		<-a.ended
		<-b.ended
		synctest.Wait()
		if n := etcd.running.Load(); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}
