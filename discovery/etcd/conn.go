package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// dialer makes an etcd client; it is clientv3.New outside tests.
type dialer func(clientv3.Config) (*clientv3.Client, error)

// conn is an etcd client that is made when it is needed and replaced when it
// no longer answers. It belongs to one goroutine.
type conn struct {
	config     clientv3.Config
	dial       dialer
	client     *clientv3.Client // nil: none
	unanswered int              // calls over client in a row
}

// open returns the client. It may take as long as a call, where the client
// begins with a password. ctx is the one that the client lives in.
func (c *conn) open(ctx context.Context) (*clientv3.Client, error) {
	if c.client != nil {
		return c.client, nil
	}
	config := c.config
	config.Context = ctx
	client, err := c.dial(config)
	if err != nil {
		return nil, c.explain(err)
	}
	c.client = client
	return client, nil
}

// report takes the outcome of a call over the client and returns it with what
// is known of the connection. After two unanswered calls in a row over a
// connection that claims to stand, the client is closed and the next open
// makes another: the connection may be half open, which its own pings find out
// only after 13 s, too late for a lease. A connection that is down is left
// alone, since it is being made anew as it is.
func (c *conn) report(err error) error {
	if !timedOut(err) {
		c.unanswered = 0
		return err
	}
	err = c.explain(err)
	c.unanswered++
	if state, known := c.state(); c.unanswered >= 2 && (!known || state == connectivity.Ready) {
		c.close()
	}
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

func (c *conn) close() {
	if c.client != nil {
		c.client.Close() // the only error is that of a second Close
		c.client, c.unanswered = nil, 0
	}
}

func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
}
