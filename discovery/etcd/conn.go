package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
)

// Bounds of a single try of a call to etcd. One that answers slowly is given
// more time, so that it is slow and not dead.
const (
	callTimeout = 2 * time.Second
	longestCall = 4 * time.Second
)

// dialer makes an etcd client, and what watches over the same connection; it
// is dial outside tests.
type dialer func(clientv3.Config) (*clientv3.Client, pb.WatchClient, error)

func dial(config clientv3.Config) (*clientv3.Client, pb.WatchClient, error) {
	client, err := clientv3.New(config)
	if err != nil {
		return nil, nil, err
	}
	return client, pb.NewWatchClient(client.ActiveConnection()), nil
}

// conn is an etcd client that is made when it is needed and replaced when it
// no longer answers. It belongs to one goroutine.
type conn struct {
	config     clientv3.Config
	dial       dialer
	members    members
	client     *clientv3.Client // nil: none
	watch      pb.WatchClient   // over client
	unanswered int              // calls over client in a row
	misses     int              // calls in a row without an answer, over any client
	took       time.Duration    // the last call that was answered
}

// newConn returns a conn that has not dialled yet.
func newConn(config Config, dial dialer) conn {
	c := conn{config: config.Client, dial: dial, members: members{log: config.Logger}}
	if config.Client.AutoSyncInterval == 0 { // else the client decides whom it talks to
		c.members.all = config.Client.Endpoints
	}
	return c
}

// open returns the client, which lives until it is closed. It may take as long
// as a call, where the client begins with a password.
func (c *conn) open(ctx context.Context) (*clientv3.Client, error) {
	if c.client == nil {
		config := c.config
		config.Context = context.WithoutCancel(ctx)
		client, watch, err := c.dial(config)
		if err != nil {
			return nil, c.explain(err)
		}
		c.client, c.watch = client, watch
	}
	c.members.restore(ctx, c.client)
	return c.client, nil
}

// do makes one call that has to be over in time. Where the call is bounded
// anyway, atMost says by what; 0: by nothing.
func (c *conn) do(ctx context.Context, atMost time.Duration, call func(context.Context, *clientv3.Client) error) error {
	client, err := c.open(ctx)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, c.patience(atMost))
	defer cancel()
	began := time.Now()
	err = call(limited, client)
	return c.report(ctx, err, time.Since(began))
}

// patience is how long the next call may take: twice as long as the last one
// took, and twice as long as the one that came to nothing.
func (c *conn) patience(atMost time.Duration) time.Duration {
	d := max(callTimeout, 2*c.took)
	if atMost > 0 {
		d = min(d, atMost)
	}
	return min(d<<min(c.misses, 2), longestCall)
}

// report takes the outcome of a call over the client and returns it with what
// is known of the connection. After two unanswered calls in a row over a
// connection that claims to stand, the client is closed and the next open
// makes another: the connection may be half open, which its own pings find out
// only after 13 s, too late for a lease. A connection that is down is left
// alone, since it is being made anew as it is.
func (c *conn) report(ctx context.Context, err error, took time.Duration) error {
	if !timedOut(err) {
		c.unanswered, c.misses = 0, 0
		if err == nil {
			c.took = took
		}
		return named(err)
	}
	err = c.explain(err)
	if ctx.Err() != nil {
		return err // the caller's doing
	}
	c.unanswered++
	c.misses++
	if state, known := c.state(); c.unanswered >= 2 && (!known || state == connectivity.Ready) {
		c.close()
		return err
	}
	c.members.avoid(ctx, c.client)
	return err
}

// explain adds what a bare timeout leaves out.
func (c *conn) explain(err error) error {
	where := strings.Join(c.config.Endpoints, ",")
	if state, known := c.state(); known {
		return fmt.Errorf("etcd at %s (connection %s): %w", where, strings.ToLower(state.String()), err)
	}
	return fmt.Errorf("etcd at %s: %w", where, err)
}

// state is unknown where there is no client, or one of a test.
func (c *conn) state() (s connectivity.State, known bool) {
	if c.client == nil || c.client.ActiveConnection() == nil {
		return 0, false
	}
	return c.client.ActiveConnection().GetState(), true
}

// settled waits until the connection over which etcd has just answered is said
// to be ready, and reports whether it is. A channel of grpc lets calls through
// before it says so: whoever took the state at its word then would hold a
// connection for lost that has only just been made.
func (c *conn) settled(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		state, known := c.state()
		if !known || state == connectivity.Ready {
			return true
		}
		if !c.client.ActiveConnection().WaitForStateChange(ctx, state) {
			return false
		}
	}
}

func (c *conn) close() {
	if c.client != nil {
		c.client.Close() // the only error is that of a second Close
		c.client, c.watch, c.unanswered = nil, nil, 0
	}
}

func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
}

// isForbidden reports whether etcd understood and refused.
func isForbidden(err error) bool {
	return errors.Is(err, rpctypes.ErrPermissionDenied) || errors.Is(err, rpctypes.ErrUserEmpty) ||
		errors.Is(err, rpctypes.ErrAuthFailed) || errors.Is(err, rpctypes.ErrInvalidAuthToken)
}

// unreachable reports whether an error says nothing but that etcd could not be
// heard, or not be heard yet.
func unreachable(err error) bool {
	_, other := errors.AsType[*differs](err)
	return !other && !isForbidden(err) && !errors.Is(err, rpctypes.ErrNoSpace) && !errors.Is(err, rpctypes.ErrLeaseNotFound) && !errors.Is(err, errSuperseded)
}

// named adds the name that callers know an error of etcd by.
func named(err error) error {
	switch {
	case err == nil:
		return nil
	case isForbidden(err):
		return fmt.Errorf("%w: %w", discovery.ErrUnauthorized, err)
	case errors.Is(err, rpctypes.ErrNoSpace):
		return fmt.Errorf("%w: %w", discovery.ErrNoSpace, err)
	}
	return err
}
