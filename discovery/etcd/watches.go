package etcd

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// watches are those of one session. They share one stream to etcd, which is
// there while there is one of them.
//
// The client's own Watcher does the same and resumes watches, which is not
// wanted here: a listWatch finds out by itself what it has missed. And there
// each event passes through three goroutines, where here the one that reads the
// stream hands it over.
type watches struct {
	ctx     context.Context // of the session
	client  pb.WatchClient
	options []grpc.CallOption

	mu     sync.Mutex
	stream *watchStream // nil: nobody watches
}

// watch hands over to deliver what etcd says of some keys from a
// revision on, and returns why that ended; an error of deliver ends it, too.
// Deliver is called by one goroutine at a time, and not after watch returned.
func (w *watches) watch(ctx context.Context, keys span, from int64, deliver func(*pb.WatchResponse) error) error {
	s := w.join()
	defer w.leave(s)
	return s.watch(ctx, &pb.WatchCreateRequest{
		Key: []byte(keys.from), RangeEnd: []byte(keys.to), StartRevision: from,
	}, deliver)
}

// ask has etcd send a word to all watches once they have been told everything.
func (w *watches) ask() error {
	w.mu.Lock()
	s := w.stream
	w.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
}

func (w *watches) join() *watchStream {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream == nil || w.stream.over() {
		// A member that lost its leader ends the stream instead of falling silent.
		ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(w.ctx))
		w.stream = newWatchStream(cancel)
		go w.stream.run(ctx, w.client, w.options) // the last to leave waits for it
	}
	w.stream.users++
	return w.stream
}

func (w *watches) leave(s *watchStream) {
	w.mu.Lock()
	s.users--
	last := s.users == 0
	if last && w.stream == s {
		w.stream = nil
	}
	w.mu.Unlock()
	if last {
		s.cancel()
		<-s.done
	}
}
