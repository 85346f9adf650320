package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
)

// ErrUnreachable is wrapped by the error of an [Operator] that had no answer
// from etcd in time. What was to be written then may have been, or still be.
var ErrUnreachable = errors.New("discovery/etcd: etcd cannot be reached")

// Operator is for the tools of people: it shows what stands in etcd, and says
// something of services and instances. It registers nothing and follows
// nothing. Each method waits for etcd, as long as ctx allows, and its error
// wraps [ErrUnreachable] if that was too short, [discovery.ErrUnauthorized] or
// [discovery.ErrNoSpace] if etcd refused, [discovery.ErrInvalid] or
// [rule.Problems] if the input is bad, and is a [*ConflictError] if somebody
// else wrote first. Calls take turns; it is safe for concurrent use.
type Operator struct {
	config Config // normalized
	keys   keys
	turn   chan struct{} // holds a token while a call is made; guards all below
	conn   conn
	closed bool
}

// NewOperator returns an operator that connects to etcd when it is first used.
// TTL and Caller of the configuration are not used. The error is a
// [*discovery.FieldError].
func NewOperator(config Config) (*Operator, error) { return newOperator(config, dial) }

func newOperator(config Config, dial dialer) (*Operator, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.normalize()
	return &Operator{config: config, keys: keys{prefix: config.Prefix}, turn: make(chan struct{}, 1), conn: newConn(config, dial)}, nil
}

// Close closes the connection, once the call that is being made is over.
func (o *Operator) Close() error {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	o.closed = true
	o.conn.close()
	return nil
}

// ConflictError says that somebody else wrote between a read and the write that
// was to follow from it. Nothing was written.
type ConflictError struct {
	What        string // "the rules of orders"
	Read, Found int64  // revisions of the last write; 0: nothing stood there
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("discovery/etcd: somebody else has changed %s meanwhile: revision %d was read, %d stands", e.What, e.Read, e.Found)
}

// do makes a call, again and again until it is answered. A call that writes has
// to find out by itself whether it did so before.
func (o *Operator) do(ctx context.Context, call func(context.Context, *clientv3.Client) error) error {
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		return over(ctx, ctx.Err())
	}
	defer func() { <-o.turn }()
	if o.closed {
		return discovery.ErrClosed
	}
	pause := newBackoff(firstPause, longestPause)
	var why error
	for {
		err := o.conn.do(ctx, 0, call)
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return ctx.Err()
		case !unanswered(err):
			if isForbidden(err) && !errors.Is(err, discovery.ErrUnauthorized) {
				err = named(err) // by whoever makes a client with a password
			}
			return err
		}
		if !timedOut(err) {
			why = o.conn.explain(err)
		} else if why == nil || timedOut(why) {
			why = o.obstacle(ctx, err)
		}
		sleep(ctx, pause.NextBackOff())
		if ctx.Err() != nil {
			return over(ctx, why)
		}
	}
}

// obstacle returns what keeps the connection from being made, if anything does:
// a call that waits for it says no more than that time is up.
func (o *Operator) obstacle(ctx context.Context, err error) error {
	if state, known := o.conn.state(); !known || state == connectivity.Ready {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), glance)
	defer cancel()
	_, why := pb.NewKVClient(o.conn.client.ActiveConnection()).Range(ctx, &pb.RangeRequest{Key: []byte(o.keys.epoch())}, grpc.WaitForReady(false))
	if status.Code(why) == codes.Unavailable {
		return o.conn.explain(why)
	}
	return err
}

// glance bounds a look at a connection that is being made.
const glance = 200 * time.Millisecond

// over is the error of a call that had no answer before ctx was done.
func over(ctx context.Context, why error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, why)
}

// unanswered reports whether a call came to nothing for no reason of its own.
func unanswered(err error) bool {
	if e, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return e.Code() == codes.Unavailable || errors.Is(err, rpctypes.ErrTooManyRequests)
	}
	return timedOut(err) || status.Code(err) == codes.Unavailable
}

// list reads all keys of a span as they were at a revision, page by page; 0:
// the latest.
func (o *Operator) list(ctx context.Context, keys span, revision int64, options ...clientv3.OpOption) (all []*mvccpb.KeyValue, at int64, err error) {
	for from := keys.from; ; {
		var page *clientv3.GetResponse
		err := o.do(ctx, func(ctx context.Context, client *clientv3.Client) (err error) {
			page, err = client.Get(ctx, from, append(options, clientv3.WithRange(keys.to), clientv3.WithLimit(pageSize), clientv3.WithRev(revision))...)
			return err
		})
		if err != nil {
			return nil, 0, err
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
