package caller

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/integration/history"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// load is the open loop: a call is due every 1/rate seconds, and one that is
// late is made at once. Nobody waits for answers.
type load struct {
	settings Settings
	send     sender
	recorder *recorder
	pace     pace

	started, failed, inFlight atomic.Int64
	calls                     sync.WaitGroup

	mu   sync.Mutex // guards all below
	quit chan struct{}
	done chan struct{}
}

// sender makes a call and returns who answered.
type sender func(ctx context.Context, c *call, key string) (answer string, err error)

func newLoad(s Settings, send sender, r *recorder) *load {
	return &load{settings: s, send: send, recorder: r, pace: pace{rate: s.Rate}}
}

// start does nothing where calls are being made already.
func (l *load) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quit != nil {
		return
	}
	l.quit, l.done = make(chan struct{}), make(chan struct{})
	go l.run(l.quit, l.done)
}

// stop returns when no call is in flight.
func (l *load) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quit == nil {
		return
	}
	close(l.quit)
	<-l.done
	l.quit = nil
	l.calls.Wait()
}

// run is ended by stop.
func (l *load) run(quit <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	l.pace.begin()
	defer l.pace.end()
	for due := time.Now(); ; due = due.Add(l.pace.interval()) {
		select {
		case <-time.After(time.Until(due)):
		case <-quit:
			return
		}
		id := l.started.Add(1)
		l.inFlight.Add(1)
		l.calls.Go(func() {
			defer l.inFlight.Add(-1)
			l.call(id)
		})
	}
}

// call makes one call and writes it down.
func (l *load) call(id int64) {
	c := &call{Call: history.Call{
		ID: id, Deadline: l.settings.Deadline,
		Idempotent: l.settings.Posts == 0 || id%int64(l.settings.Posts) != 0,
	}}
	key := history.Key(l.settings.Name, id)
	options := []transport.CallOption{transport.Key(key)}
	if all := l.settings.Priorities; len(all) > 0 {
		c.Priority = all[id%int64(len(all))]
		p, _ := ratelimit.ParsePriority(c.Priority)
		options = append(options, transport.Priority(p))
	}
	l.recorder.begin(key, c)
	ctx, cancel := context.WithTimeout(withCall(context.Background(), c, l.recorder), l.settings.Deadline)
	defer cancel()
	if n := int64(l.settings.Cancels); n > 0 && id%n == 0 {
		defer time.AfterFunc(rand.N(longest), func() {
			c.cancel(l.recorder.now())
			cancel()
		}).Stop()
	}
	answer, err := l.send(transport.WithCall(ctx, options...), c, key)
	if err != nil {
		l.failed.Add(1)
	}
	l.recorder.end(key, c, answer, err)
}

// longest is until when calls are taken back, where some are.
const longest = 40 * time.Millisecond

// judge writes into c what the caller was told.
func judge(c *history.Call, answer string, err error) {
	c.Answered = answer
	if err == nil {
		return
	}
	c.Err = err.Error()
	c.NoInstances = errors.Is(err, balancer.ErrNoInstances)
	c.TimedOut = errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
	c.Maybe = true // what is no error of the mesh comes from a server
	if e, ok := errors.AsType[*transport.Error](err); ok {
		c.Stage, c.Maybe = string(e.Stage), e.MaybeExecuted
	}
}
