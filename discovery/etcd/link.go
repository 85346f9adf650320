package etcd

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/fairlead-go/fairlead/discovery"
)

var (
	errDisconnected = errors.New("connection to etcd lost")
	errOtherHistory = errors.New("etcd lost its history: it was wiped or restored")
	errRenewed      = errors.New("the connection to etcd is made anew")
)

// link is the connection that lists and watches go over, and the knowledge
// whether etcd answers there. Its goroutine is run.
type link struct {
	conn  conn // owned by run
	epoch string
	log   *slog.Logger
	pause *backoff.ExponentialBackOff // owned by run
	// turn is held by whoever reads: however many services are listed, one
	// read is under way, so that an etcd that is slow is not buried.
	turn chan struct{}

	mu      sync.Mutex // guards all below
	session *session   // nil while etcd does not answer
	err     error      // why there is no session; nil before the first try
	since   time.Time  // when there began or ceased to be a session
	heard   time.Time  // when etcd last proved that it answers
	urgent  bool       // somebody waits for the next session
	changed broadcast
}

// session is a stretch of time during which etcd answers.
type session struct {
	client   *clientv3.Client
	watches  *watches
	ctx      context.Context // done when the session is over; its cause says why
	end      context.CancelCauseFunc
	began    time.Time
	urgent   bool          // somebody waits for what is listed in it
	history  history       // as it was when the session began
	patience time.Duration // that reads need
}

func newSession(ctx context.Context, client *clientv3.Client, watch pb.WatchClient, options ...grpc.CallOption) *session {
	s := &session{client: client, patience: callTimeout}
	s.ctx, s.end = context.WithCancelCause(ctx)
	s.watches = &watches{ctx: s.ctx, client: watch, options: options}
	return s
}

func newLink(c conn, epochKey string, log *slog.Logger) *link {
	return &link{conn: c, epoch: epochKey, log: log, pause: newBackoff(250*time.Millisecond, 2*time.Second), turn: make(chan struct{}, 1)}
}

// current returns the session, or nil and why there is none, and a channel
// that is closed when this is no longer so.
func (l *link) current() (*session, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session, l.changed.next(), l.err
}

// lastHeard is when etcd last proved that it answers.
func (l *link) lastHeard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// recent is how old the session of a process that has just woken up can be and
// still have begun since: many services are refreshed after one sleep, and no
// sleep that matters is as short.
const recent = 10 * time.Second

// renew ends the session and begins another over a new connection, unless it
// is recent: after a long sleep the old one may be gone without a word.
func (l *link) renew(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil && age(l.session.began, now) <= recent {
		return
	}
	l.urgent = true
	if l.session != nil {
		l.session.end(errRenewed)
	}
}

// run holds one session after the other until ctx is done. The registry owns
// it and waits for it.
func (l *link) run(ctx context.Context) {
	defer l.conn.close()
	for ctx.Err() == nil {
		err := l.hold(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errRenewed):
			l.conn.close()
			l.over(nil)
			continue
		case errors.Is(err, discovery.ErrUnauthorized):
			l.conn.close() // perhaps another token helps
		}
		if first := l.over(err); first {
			l.log.Warn("etcd does not answer", "endpoints", l.conn.config.Endpoints, "error", err)
		}
		l.rest(ctx, err)
	}
}

// hold opens a session, as soon as etcd has proved that it answers, and
// returns when it is over.
func (l *link) hold(ctx context.Context) error {
	h, err := l.prove(ctx)
	if err != nil {
		return err
	}
	if !l.conn.settled(ctx) {
		return errDisconnected
	}
	most := cmp.Or(l.conn.config.MaxCallRecvMsgSize, math.MaxInt32)
	s := newSession(ctx, l.conn.client, l.conn.watch, grpc.MaxCallRecvMsgSize(most))
	s.history, s.patience = h, l.conn.patience(0)
	l.begin(s)
	err = l.guard(s, h)
	s.end(err)
	return err
}

// prove reads the history, which is the proof that etcd answers. It does so
// without the patience of the client's own calls: these wait for a connection
// until their time is up and then cannot tell what was wrong.
func (l *link) prove(ctx context.Context) (h history, err error) {
	err = l.conn.do(ctx, 0, func(ctx context.Context, client *clientv3.Client) error {
		h, err = readHistory(ctx, clientv3.NewKVFromKVClient(clientv3.RetryKVClient(client), nil), l.epoch)
		return err
	})
	return h, err
}

// guard returns when etcd can no longer be trusted to answer: at once when the
// connection breaks, else when two reads in a row stay without an answer, of
// which there is one every 24 to 30 s.
func (l *link) guard(s *session, last history) error {
	ctx, client := s.ctx, s.client
	for failed := false; ; {
		if !failed {
			wait, cancel := context.WithTimeout(ctx, between(24*time.Second, 30*time.Second))
			broken := client.ActiveConnection().WaitForStateChange(wait, connectivity.Ready)
			cancel()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if broken {
				return errDisconnected
			}
		}
		h, err := l.prove(ctx)
		if l.conn.client != client && err == nil {
			return errDisconnected // it was replaced
		}
		if err != nil {
			if failed || ctx.Err() != nil || l.conn.client != client {
				return because(ctx, err)
			}
			failed = true
			continue
		}
		failed = false
		if h.contradicts(last) {
			return errOtherHistory
		}
		if h.denied && !last.denied {
			return discovery.ErrUnauthorized // lists may be forbidden now, too, though watches go on
		}
		last = h
		l.mu.Lock()
		l.heard = time.Now()
		l.mu.Unlock()
		// The watches are to prove that they still hear.
		if err := s.watches.ask(); err != nil {
			l.log.Debug("watches were not asked for progress", "error", err)
		}
	}
}

func (l *link) begin(s *session) {
	l.pause.Reset()
	l.mu.Lock()
	now := time.Now()
	s.began, s.urgent, l.urgent = now, l.urgent, false
	back := l.err != nil || l.since.IsZero()
	l.session, l.err, l.since, l.heard = s, nil, now, now
	l.changed.tell()
	l.mu.Unlock()
	if back {
		l.log.Info("etcd answers", "endpoints", l.conn.config.Endpoints)
	}
}

// over takes note that there is no session. It reports whether that is news.
func (l *link) over(err error) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first = l.err == nil && err != nil; first {
		l.since = time.Now()
	}
	l.session, l.err = nil, err
	l.changed.tell()
	return first
}

// rest waits a while, or until the connection looks different.
func (l *link) rest(ctx context.Context, why error) {
	d := l.pause.NextBackOff()
	if errors.Is(why, discovery.ErrUnauthorized) {
		d = between(forbiddenPause, forbiddenPause*6/5)
	}
	if l.conn.client == nil {
		sleep(ctx, d)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	c := l.conn.client.ActiveConnection()
	c.WaitForStateChange(ctx, c.GetState())
}

// read reads the history over a session's client when it is its turn.
func (l *link) read(ctx context.Context, s *session) (history, error) {
	done, err := l.wait(ctx)
	if err != nil {
		return history{}, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	return readHistory(ctx, s.client, l.epoch)
}

// list reads all keys of a span as they were at one revision, page by page,
// each when it is its turn.
func (l *link) list(ctx context.Context, s *session, keys span) ([]*mvccpb.KeyValue, int64, error) {
	var all []*mvccpb.KeyValue
	from := keys.from
	for revision := int64(0); ; {
		page, err := l.page(ctx, s, span{from, keys.to}, revision)
		if err != nil {
			return nil, 0, named(err)
		}
		if revision == 0 {
			revision = page.Header.Revision
		}
		all = append(all, page.Kvs...)
		if !page.More || len(page.Kvs) == 0 {
			return all, revision, nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

func (l *link) page(ctx context.Context, s *session, keys span, revision int64) (*clientv3.GetResponse, error) {
	done, err := l.wait(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	return s.client.Get(ctx, keys.from, clientv3.WithRange(keys.to), clientv3.WithLimit(pageSize), clientv3.WithRev(revision))
}

// wait waits for the turn to read.
func (l *link) wait(ctx context.Context) (done func(), err error) {
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
