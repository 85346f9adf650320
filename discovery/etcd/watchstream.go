package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

var errWatchEnded = errors.New("etcd ended the watch")

// watchStream is one stream of watches. Its goroutine is run.
type watchStream struct {
	users  int // guarded by watches.mu
	cancel context.CancelFunc
	done   chan struct{} // closed when the stream has ended
	err    error         // why; to be read when done
	// turn is held by the watch that is being created, and by run until the
	// stream stands. Only one is created at a time, since etcd's own proxy does
	// not heed the ID that is asked for: the order tells whom an answer is for.
	turn chan struct{}

	sending sync.Mutex // guards rpc, and its Send
	rpc     pb.Watch_WatchClient

	mu       sync.Mutex // guards all below
	creating *watch
	live     map[int64]*watch
}

// watch is one of a stream's.
type watch struct {
	id      int64 // guarded by watchStream.mu, and valid while the watch is live
	deliver func(*pb.WatchResponse) error
	over    chan struct{} // closed when it has ended

	mu    sync.Mutex // held while deliver is called; guards all below
	ended bool
	err   error // why
}

func newWatchStream(cancel context.CancelFunc) *watchStream {
	s := &watchStream{cancel: cancel, done: make(chan struct{}), turn: make(chan struct{}, 1), live: map[int64]*watch{}}
	s.turn <- struct{}{}
	return s
}

func (s *watchStream) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// run reads the stream until it ends.
func (s *watchStream) run(ctx context.Context, client pb.WatchClient, options []grpc.CallOption) {
	s.err = rpctypes.Error(s.read(ctx, client, options))
	s.cancel()
	close(s.done)
}

func (s *watchStream) read(ctx context.Context, client pb.WatchClient, options []grpc.CallOption) error {
	rpc, err := client.Watch(ctx, options...)
	if err != nil {
		return err
	}
	s.sending.Lock()
	s.rpc = rpc
	s.sending.Unlock()
	<-s.turn
	for {
		r, err := rpc.Recv()
		if err != nil {
			return err
		}
		if err := s.take(r); err != nil {
			return err
		}
	}
}

// send does not wait for an answer. It does nothing before the stream stands.
func (s *watchStream) send(r *pb.WatchRequest) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.rpc == nil {
		return nil
	}
	return s.rpc.Send(r)
}

// watch is that of watches.
func (s *watchStream) watch(ctx context.Context, request *pb.WatchCreateRequest, deliver func(*pb.WatchResponse) error) error {
	select {
	case s.turn <- struct{}{}:
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
	w := &watch{deliver: deliver, over: make(chan struct{})}
	s.mu.Lock()
	s.creating = w
	s.mu.Unlock()
	if s.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}}) != nil {
		s.cancel() // whoever reads is told why
	}
	select {
	case <-w.over:
	case <-s.done:
		w.end(s.err)
	case <-ctx.Done():
		w.end(ctx.Err())
	}
	s.drop(w)
	return w.err
}

// drop takes back a watch that has ended, unless etcd did so. One that is still
// being created is taken back once its ID is known.
func (s *watchStream) drop(w *watch) {
	s.mu.Lock()
	live := s.live[w.id] == w
	if live {
		delete(s.live, w.id)
	}
	s.mu.Unlock()
	if live {
		s.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: w.id}}}) // an error says that the stream has ended
	}
}

// take hands over what arrived. An error ends the stream.
func (s *watchStream) take(r *pb.WatchResponse) error {
	switch {
	case r.Created:
		return s.created(r)
	case r.Canceled:
		return s.canceled(r)
	case r.WatchId == clientv3.InvalidWatchID: // for all
		for _, w := range s.all() {
			w.take(r)
		}
	default:
		s.mu.Lock()
		w := s.live[r.WatchId]
		s.mu.Unlock()
		if w != nil { // else it was dropped, and what etcd said before is still arriving
			w.take(r)
		}
	}
	return nil
}

func (s *watchStream) all() []*watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*watch, 0, len(s.live))
	for _, w := range s.live {
		all = append(all, w)
	}
	return all
}

func (s *watchStream) created(r *pb.WatchResponse) error {
	s.mu.Lock()
	w := s.creating
	s.creating = nil
	if w != nil && !r.Canceled {
		w.id = r.WatchId
		s.live[w.id] = w
	}
	s.mu.Unlock()
	if w == nil {
		return fmt.Errorf("%w: it created one that nobody asked for", errWatchEnded)
	}
	<-s.turn
	if r.Canceled {
		w.end(reason(r))
		return renewing(r)
	}
	if w.isOver() { // nobody waited
		s.drop(w)
	}
	return nil
}

func (s *watchStream) canceled(r *pb.WatchResponse) error {
	s.mu.Lock()
	w := s.live[r.WatchId]
	delete(s.live, r.WatchId)
	s.mu.Unlock()
	if w != nil {
		w.end(reason(r))
	}
	return renewing(r)
}

// reasons are what etcd gives as text that means something here.
var reasons = [...]error{
	rpctypes.ErrGRPCPermissionDenied, rpctypes.ErrGRPCUserEmpty, rpctypes.ErrGRPCAuthFailed, rpctypes.ErrGRPCNoLeader,
}

// reason is why etcd ended a watch.
func reason(r *pb.WatchResponse) error {
	if r.CompactRevision != 0 {
		return rpctypes.ErrCompacted
	}
	for _, known := range reasons {
		if r.CancelReason == known.Error() {
			return rpctypes.Error(known)
		}
	}
	return fmt.Errorf("%w: %q", errWatchEnded, r.CancelReason)
}

// renewing is an error if a new stream would help, with which a new token is
// sent.
func renewing(r *pb.WatchResponse) error {
	switch r.CancelReason {
	case rpctypes.ErrGRPCInvalidAuthToken.Error(), rpctypes.ErrGRPCAuthOldRevision.Error():
		return fmt.Errorf("%w: %q", errWatchEnded, r.CancelReason)
	}
	return nil
}

func (w *watch) take(r *pb.WatchResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	if err := w.deliver(r); err != nil {
		w.endLocked(err)
	}
}

// end ends a watch for a reason, unless there was one already. It waits for a
// delivery that is under way.
func (w *watch) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endLocked(err)
}

func (w *watch) endLocked(err error) {
	if !w.ended {
		w.ended, w.err = true, err
		close(w.over)
	}
}

func (w *watch) isOver() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}
