package caller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
	"github.com/fairlead-go/fairlead/transport"
)

// load is the open loop: a call is due every 1/rate seconds, and one that is
// late is made at once. Nobody waits for answers.
type load struct {
	settings Settings
	client   *http.Client
	recorder *recorder

	started, failed, inFlight atomic.Int64
	calls                     sync.WaitGroup

	mu   sync.Mutex // guards all below
	quit chan struct{}
	done chan struct{}
	past time.Duration // how long it ran before
}

func newLoad(s Settings, client *http.Client, r *recorder) *load {
	return &load{settings: s, client: client, recorder: r}
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

func (l *load) loaded() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.past
}

// run is ended by stop, which holds the lock meanwhile.
func (l *load) run(quit <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	began := time.Now()
	defer func() { l.past += time.Since(began) }()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(float64(n) / l.settings.Rate * float64(time.Second)))
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
	l.recorder.begin(key, c)
	ctx, cancel := context.WithTimeout(withCall(context.Background(), c, l.recorder), l.settings.Deadline)
	answer, err := l.send(transport.WithCall(ctx, transport.Key(key)), c, key)
	cancel()
	if err != nil {
		l.failed.Add(1)
	}
	l.recorder.end(key, c, answer, err)
}

func (l *load) send(ctx context.Context, c *call, key string) (answer string, err error) {
	method, body := http.MethodGet, io.Reader(nil)
	if !c.Idempotent {
		method, body = http.MethodPost, strings.NewReader("an order")
	}
	req, err := http.NewRequestWithContext(ctx, method, "mesh://"+l.settings.Service+"/", body)
	if err != nil {
		return "", err
	}
	req.Header.Set(fleet.CallHeader, key)
	resp, err := l.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("body: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, text)
	}
	if l.settings.DNS != "" {
		return resp.Header.Get(fleet.AddrHeader), nil // their IDs, there
	}
	return string(text), nil
}

// judge writes into c what the caller was told.
func judge(c *history.Call, answer string, err error) {
	c.Answered = answer
	if err == nil {
		return
	}
	c.Err = err.Error()
	c.NoInstances = errors.Is(err, balancer.ErrNoInstances)
	c.TimedOut = errors.Is(err, context.DeadlineExceeded)
	c.Maybe = true // what is no error of the mesh comes from a server
	if e, ok := errors.AsType[*transport.Error](err); ok {
		c.Stage, c.Maybe = string(e.Stage), e.MaybeExecuted
	}
}
