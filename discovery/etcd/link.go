package etcd

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"
)

var (
	errDisconnected = errors.New("connection to etcd lost")
	errOtherHistory = errors.New("etcd lost its history: it was wiped or restored")
)

// link is the connection that lists and watches go over, and the knowledge
// whether etcd answers there. Its goroutine is run.
type link struct {
	conn  conn // owned by run
	epoch string
	log   *slog.Logger
	pause *backoff.ExponentialBackOff // owned by run

	mu      sync.Mutex // guards all below
	session *session   // nil while etcd does not answer
	err     error      // why there is no session; nil before the first try
	since   time.Time  // when there began or ceased to be a session
	heard   time.Time  // when etcd last proved that it answers
	changed broadcast
}

// session is a stretch of time during which etcd answers.
type session struct {
	client *clientv3.Client
	ctx    context.Context // done when the session is over; its cause says why
}

func newLink(c conn, epochKey string, log *slog.Logger) *link {
	return &link{conn: c, epoch: epochKey, log: log, pause: newBackoff(250*time.Millisecond, 2*time.Second)}
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

// run holds one session after the other until ctx is done. The registry owns
// it and waits for it.
func (l *link) run(ctx context.Context) {
	defer l.conn.close()
	for ctx.Err() == nil {
		err := l.hold(ctx)
		if ctx.Err() != nil {
			return
		}
		l.lost(err)
		l.rest(ctx)
	}
}

// hold opens a session, as soon as etcd has proved that it answers, and
// returns when it is over.
func (l *link) hold(ctx context.Context) error {
	client, err := l.conn.open(ctx)
	if err != nil {
		return err
	}
	// Without the patience of the client's own calls: these wait for a
	// connection until their time is up and then cannot tell what was wrong.
	kv := clientv3.NewKVFromKVClient(clientv3.RetryKVClient(client), nil)
	h, err := readHistory(ctx, kv, l.epoch)
	if err := l.conn.report(err); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	l.begin(&session{client: client, ctx: ctx})
	err = l.guard(ctx, client, kv, h)
	end(err)
	return err
}

// guard returns when etcd can no longer be trusted to answer: at once when the
// connection breaks, else when two reads in a row stay without an answer, of
// which there is one every 24 to 30 s.
func (l *link) guard(ctx context.Context, client *clientv3.Client, kv clientv3.KV, last history) error {
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
		h, err := readHistory(ctx, kv, l.epoch)
		if err := l.conn.report(err); err != nil {
			if failed || ctx.Err() != nil {
				return err
			}
			failed = true
			continue
		}
		failed = false
		if h.contradicts(last) {
			return errOtherHistory
		}
		last = h
		l.mu.Lock()
		l.heard = time.Now()
		l.mu.Unlock()
	}
}

func (l *link) begin(s *session) {
	l.pause.Reset()
	l.mu.Lock()
	now := time.Now()
	l.session, l.err, l.since, l.heard = s, nil, now, now
	l.changed.tell()
	l.mu.Unlock()
	l.log.Info("etcd answers", "endpoints", l.conn.config.Endpoints)
}

func (l *link) lost(err error) {
	l.mu.Lock()
	first := l.err == nil
	if first {
		l.since = time.Now()
	}
	l.session, l.err = nil, err
	l.changed.tell()
	l.mu.Unlock()
	if first {
		l.log.Warn("etcd does not answer", "endpoints", l.conn.config.Endpoints, "error", err)
	}
}

// rest waits a while, or until the connection looks different.
func (l *link) rest(ctx context.Context) {
	d := l.pause.NextBackOff()
	if l.conn.client == nil {
		sleep(ctx, d)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	c := l.conn.client.ActiveConnection()
	c.WaitForStateChange(ctx, c.GetState())
}
