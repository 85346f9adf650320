package etcd

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

const (
	pageSize = 500 // keys per read of a list
	// restTime is how long a watch must have stood for the pauses between
	// watches to begin small again.
	restTime = 10 * time.Second
	// stallTime is how long a watch that answers when it is asked may be
	// silent. It is asked every 24 to 30 s.
	stallTime = 65 * time.Second
	// forbiddenPause is how long somebody waits whom etcd has forbidden what he
	// asked for, up to a fifth more.
	forbiddenPause = 30 * time.Second
)

var (
	errRelist   = errors.New("time to list again")
	errStalled  = errors.New("the watch has fallen silent")
	errDisorder = errors.New("etcd told of an event twice, or late")
)

// sink is told what stands under some keys, by one goroutine at a time.
type sink interface {
	// replace hands over all there is at a revision. What was there before and
	// is not now has gone, whether or not anybody saw it go.
	replace(all []*mvccpb.KeyValue, revision int64)
	// apply hands over what happened up to and including a revision, never a
	// part of a revision; without events it says that nothing did.
	apply(events []*mvccpb.Event, revision int64)
	// trouble says why nothing can be heard. It is over with the next replace
	// or apply.
	trouble(err error)
}

// listWatch keeps a sink told of everything under some keys, for ever: it lists
// at one revision and watches from the next on. However the watch ends, it
// lists again, unless etcd proves that nothing was written meanwhile. So
// neither a gap between list and watch nor a compaction nor a store that was
// wiped can leave the sink with what is no longer true.
type listWatch struct {
	keys  span
	link  *link
	sink  sink
	phase atomic.Int32 // what it is doing, for people

	// Owned by run.
	seen  history  // what the sink was told last; revision 0: nothing
	since *session // in which that was; nil: an earlier one
	lists int
}

// What a listWatch may be doing.
const (
	waiting int32 = iota // for etcd to answer
	listing
	watching
	forbidden
)

var phases = [...]string{"waiting", "listing", "watching", "unauthorised"}

// run ends with ctx.
func (w *listWatch) run(ctx context.Context) {
	pause := newBackoff(250*time.Millisecond, 2*time.Second)
	for ctx.Err() == nil {
		s, changed, err := w.link.current()
		if s == nil {
			w.phase.Store(waiting)
			if err != nil {
				w.sink.trouble(err)
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		began := time.Now()
		err = w.follow(ctx, s)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errRenewed) {
			continue
		}
		if !errors.Is(err, errRelist) && !errors.Is(err, rpctypes.ErrCompacted) { // in these two etcd can be heard well
			w.sink.trouble(err)
		}
		if isForbidden(err) {
			w.phase.Store(forbidden)
			sleep(ctx, between(forbiddenPause, forbiddenPause*6/5))
			continue
		}
		if time.Since(began) > restTime {
			pause.Reset()
		}
		sleep(ctx, pause.NextBackOff())
	}
}

// follow lists, if need be, and watches until that ends. It returns why.
func (w *listWatch) follow(ctx context.Context, s *session) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()

	w.phase.Store(listing)
	// What etcd said when the session began is good for one look at it.
	h := s.history
	if w.since == s {
		var err error
		if h, err = w.link.read(ctx, s); err != nil {
			return because(ctx, err)
		}
	}
	w.since = s
	if h.unchanged(w.seen) {
		w.sink.apply(nil, w.seen.revision)
		return w.watch(ctx, s.watches)
	}
	if w.lists > 0 && !s.urgent {
		// Many lost the same etcd at the same moment and all come to list.
		sleep(ctx, between(0, herd(w.seen.keys)))
	}
	all, revision, err := w.link.list(ctx, s, w.keys)
	if err != nil {
		return because(ctx, err)
	}
	w.lists++
	w.seen = history{revision: revision, epoch: h.epoch, keys: len(all)}
	w.sink.replace(all, revision)
	return w.watch(ctx, s.watches)
}

// herd is the time over which those who come back at the same moment are
// spread: a second, and with large services, which have many clients, up to
// five.
func herd(keys int) time.Duration {
	return min(max(time.Second, time.Duration(keys)*time.Millisecond), 5*time.Second)
}

// because prefers the reason for which ctx was cancelled to what a cancelled
// call says.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// watch applies what happens from the next revision on, until the watch ends.
// Even a watch in good health ends after some minutes, for the sake of what
// nobody has thought of.
func (w *listWatch) watch(ctx context.Context, watches *watches) error {
	ctx, cancel := context.WithTimeoutCause(ctx, between(4*time.Minute, 6*time.Minute), errRelist)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	stalled := time.AfterFunc(never, func() { end(errStalled) })
	defer stalled.Stop()
	answers := false // an etcd proxy does not answer a watch that asks
	w.phase.Store(watching)
	err := watches.watch(ctx, w.keys, w.seen.revision+1, func(r *pb.WatchResponse) error {
		answers = answers || len(r.Events) == 0
		if answers {
			stalled.Reset(stallTime)
		}
		return w.take(r.Events)
	})
	return because(ctx, named(err))
}

// take applies what happened.
func (w *listWatch) take(events []*mvccpb.Event) error {
	if len(events) == 0 {
		return nil
	}
	if disordered(events, w.seen.revision) {
		w.seen = history{} // so that all is listed
		return errDisorder
	}
	// Not the revision in the header: it may run ahead of the events that a
	// watch which catches up is given in portions.
	w.seen.revision = events[len(events)-1].Kv.ModRevision
	w.sink.apply(events, w.seen.revision)
	return nil
}

// disordered reports whether events do not follow, in the order in which they
// happened, on what was told up to a revision.
func disordered(events []*mvccpb.Event, told int64) bool {
	if events[0].Kv.ModRevision <= told {
		return true
	}
	return !slices.IsSortedFunc(events, func(a, b *mvccpb.Event) int { return cmp.Compare(a.Kv.ModRevision, b.Kv.ModRevision) })
}
