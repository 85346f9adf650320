package etcd

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// fake is an etcd in memory that works within a synctest bubble. It knows
// revisions, leases that expire, transactions guarded by a create revision or
// a lease, watches and compaction: what this package asks of etcd. The real
// one is asked in internal/integration.
type fake struct {
	mu        sync.Mutex // guards all below
	intercept func(context.Context, call) error
	revision  int64
	compacted int64
	keys      map[string]*mvccpb.KeyValue
	events    []*mvccpb.Event
	leases    map[int64]lease
	calls     []call
	clients   int
	asked     int  // for progress
	swallow   bool // puts are confirmed and not made
	onTxn     func()
	late      bool                                  // the next transaction is made, and its answer lost
	garble    func([]*mvccpb.Event) []*mvccpb.Event // what watches deliver
	changed   broadcast
}

type lease struct {
	ttl    time.Duration
	expiry time.Time
}

// call is one call that arrived.
type call struct {
	op  string // grant, keepalive, revoke, put, delete, get, list, watch, epoch
	key string
	// revision is that of a read or a watch; 0: the latest
	revision int64
	at       time.Time
	deadline time.Duration // how long the caller would wait; 0: for ever
}

func newFake() *fake {
	return &fake{revision: 1, keys: map[string]*mvccpb.KeyValue{}, leases: map[int64]lease{}}
}

// dial is a dialer.
func (f *fake) dial(clientv3.Config) (*clientv3.Client, pb.WatchClient, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clients++
	c := clientv3.NewCtxClient(context.Background())
	c.KV = clientv3.NewKVFromKVClient(fakeKV{fake: f}, nil)
	c.Lease = clientv3.NewLeaseFromLeaseClient(fakeLease{fake: f}, nil, time.Second)
	return c, fakeWatch{fake: f}, nil
}

func (f *fake) setGarble(garble func([]*mvccpb.Event) []*mvccpb.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.garble = garble
}

func (f *fake) conn(log *slog.Logger) conn {
	return newConn(Config{Client: clientv3.Config{Endpoints: []string{"fake:2379"}}, Logger: log}, f.dial)
}

func (f *fake) supervisor(t *testing.T) *supervisor {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	return newSupervisor(f.conn(log), keys{prefix: DefaultPrefix}, DefaultTTL, "", log)
}

// arrive takes note of a call and holds it up as the test wants.
func (f *fake) arrive(ctx context.Context, op, key string, revision int64) error {
	c := call{op: op, key: key, revision: revision, at: time.Now()}
	if d, ok := ctx.Deadline(); ok {
		c.deadline = time.Until(d)
	}
	f.mu.Lock()
	f.calls = append(f.calls, c)
	intercept := f.intercept
	f.mu.Unlock()
	if intercept != nil {
		if err := intercept(ctx, c); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// intercepting has do called before each call takes effect, from now on. It
// may wait, fail the call or do something of its own. Nil ends that.
func (f *fake) intercepting(do func(context.Context, call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.intercept = do
}

// seen returns the calls so far of these kinds; of all, without any.
func (f *fake) seen(ops ...string) []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []call
	for _, c := range f.calls {
		if len(ops) == 0 || slices.Contains(ops, c.op) {
			all = append(all, c)
		}
	}
	return all
}

// get returns what stands at key: nil for nothing.
func (f *fake) get(key string) *mvccpb.KeyValue {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireLocked()
	return f.keys[key]
}

func (f *fake) put(key, value string, lease int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revision++
	f.putLocked(key, value, lease)
}

func (f *fake) putLocked(key, value string, lease int64) {
	kv := &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value), Lease: lease, CreateRevision: f.revision, ModRevision: f.revision}
	if old := f.keys[key]; old != nil {
		kv.CreateRevision = old.CreateRevision
	}
	f.keys[key] = kv
	f.eventLocked(mvccpb.Event_PUT, kv)
}

func (f *fake) delete(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleteLocked(key)
}

func (f *fake) deleteLocked(key string) {
	if f.keys[key] != nil {
		f.revision++
		delete(f.keys, key)
		f.eventLocked(mvccpb.Event_DELETE, &mvccpb.KeyValue{Key: []byte(key), ModRevision: f.revision})
	}
}

func (f *fake) eventLocked(kind mvccpb.Event_EventType, kv *mvccpb.KeyValue) {
	f.events = append(f.events, &mvccpb.Event{Type: kind, Kv: kv})
	f.changed.tell()
}

// revokeAll ends all leases, as an operator might, or a leader that was paused.
func (f *fake) revokeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.leases {
		f.revokeLocked(id)
	}
}

// revoke ends the lease of one supervisor.
func (f *fake) revoke(s *supervisor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revokeLocked(int64(s.lease))
}

// instanceName is the ID of the nth of many instances.
func instanceName(n int) string { return fmt.Sprintf("i%05d", n) }

func (f *fake) revokeLocked(id int64) {
	delete(f.leases, id)
	for key, kv := range f.keys {
		if kv.Lease == id {
			f.deleteLocked(key)
		}
	}
}

func (f *fake) expireLocked() {
	for id, l := range f.leases {
		if time.Now().After(l.expiry) {
			f.revokeLocked(id)
		}
	}
}

func (f *fake) compact() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compacted = f.revision
}

func (f *fake) headerLocked() *pb.ResponseHeader { return &pb.ResponseHeader{Revision: f.revision} }

type fakeKV struct {
	pb.KVClient
	fake *fake
}

func (k fakeKV) Range(ctx context.Context, in *pb.RangeRequest, _ ...grpc.CallOption) (*pb.RangeResponse, error) {
	op := "get"
	switch {
	case len(in.RangeEnd) > 0:
		op = "list"
	case strings.HasSuffix(string(in.Key), "/epoch"):
		op = "epoch"
	}
	f := k.fake
	if err := f.arrive(ctx, op, string(in.Key), in.Revision); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireLocked()
	if in.Revision != 0 && in.Revision < f.compacted {
		return nil, rpctypes.ErrGRPCCompacted
	}
	return f.rangeLocked(in), nil
}

func (f *fake) rangeLocked(in *pb.RangeRequest) *pb.RangeResponse {
	r := &pb.RangeResponse{Header: f.headerLocked()}
	for key, kv := range f.atLocked(cmp.Or(in.Revision, f.revision)) {
		if within(key, in.Key, in.RangeEnd) {
			if in.KeysOnly {
				kv = &mvccpb.KeyValue{Key: kv.Key, Lease: kv.Lease, CreateRevision: kv.CreateRevision, ModRevision: kv.ModRevision}
			}
			r.Kvs = append(r.Kvs, kv)
		}
	}
	slices.SortFunc(r.Kvs, func(a, b *mvccpb.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
	if in.Limit > 0 && int64(len(r.Kvs)) > in.Limit {
		r.Kvs, r.More = r.Kvs[:in.Limit], true
	}
	return r
}

func within(key string, from, to []byte) bool {
	return key == string(from) || len(to) > 0 && key >= string(from) && key < string(to)
}

// atLocked returns the keys as they were at a revision.
func (f *fake) atLocked(revision int64) map[string]*mvccpb.KeyValue {
	if revision == f.revision {
		return f.keys
	}
	keys := map[string]*mvccpb.KeyValue{}
	for _, e := range f.events {
		if e.Kv.ModRevision > revision {
			break
		}
		if e.Type == mvccpb.Event_DELETE {
			delete(keys, string(e.Kv.Key))
		} else {
			keys[string(e.Kv.Key)] = e.Kv
		}
	}
	return keys
}

func (k fakeKV) Put(ctx context.Context, in *pb.PutRequest, _ ...grpc.CallOption) (*pb.PutResponse, error) {
	f := k.fake
	if err := f.arrive(ctx, "put", string(in.Key), 0); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireLocked()
	if _, ok := f.leases[in.Lease]; in.Lease != 0 && !ok {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	f.revision++
	f.putLocked(string(in.Key), string(in.Value), in.Lease)
	return &pb.PutResponse{Header: f.headerLocked()}, nil
}

// Txn arrives as one call per operation in it that this package makes: a put, a
// delete, a check of one key, or the epoch.
func (k fakeKV) Txn(ctx context.Context, in *pb.TxnRequest, _ ...grpc.CallOption) (*pb.TxnResponse, error) {
	f := k.fake
	for _, c := range calls(in) {
		if err := f.arrive(ctx, c.op, c.key, 0); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireLocked()
	for _, put := range f.putsLocked(in) {
		if _, ok := f.leases[put.Lease]; put.Lease != 0 && !ok {
			return nil, rpctypes.ErrGRPCLeaseNotFound
		}
	}
	if f.onTxn != nil {
		f.onTxn()
	}
	r := f.txnLocked(in, f.revision+1)
	if f.late {
		f.late = false
		return nil, status.FromContextError(context.DeadlineExceeded).Err()
	}
	return r, nil
}

// calls names what a transaction is for.
func calls(in *pb.TxnRequest) []call {
	var all []call
	for _, op := range in.Success {
		switch {
		case op.GetRequestTxn() != nil:
			all = append(all, calls(op.GetRequestTxn())...)
		case op.GetRequestDeleteRange() != nil:
			all = append(all, call{op: "delete", key: string(op.GetRequestDeleteRange().Key)})
		case op.GetRequestPut() != nil && strings.HasSuffix(string(op.GetRequestPut().Key), "epoch"):
			all = append(all, call{op: "epoch", key: string(op.GetRequestPut().Key)})
		case op.GetRequestPut() != nil:
			all = append(all, call{op: "put", key: string(op.GetRequestPut().Key)})
		case op.GetRequestRange() != nil && len(in.Success) == 1 || len(in.Compare) == 0:
			all = append(all, call{op: "get", key: string(op.GetRequestRange().Key)})
		}
	}
	return all
}

func (f *fake) holdsLocked(in *pb.TxnRequest) bool {
	for _, guard := range in.Compare {
		kv := f.keys[string(guard.Key)]
		if kv == nil {
			kv = &mvccpb.KeyValue{}
		}
		switch guard.Target {
		case pb.Compare_LEASE:
			if kv.Lease != guard.GetLease() {
				return false
			}
		case pb.Compare_CREATE:
			if kv.CreateRevision != guard.GetCreateRevision() {
				return false
			}
		case pb.Compare_MOD:
			if kv.ModRevision != guard.GetModRevision() {
				return false
			}
		}
	}
	return true
}

// putsLocked returns the puts that would be made.
func (f *fake) putsLocked(in *pb.TxnRequest) []*pb.PutRequest {
	ops := in.Failure
	if f.holdsLocked(in) {
		ops = in.Success
	}
	var all []*pb.PutRequest
	for _, op := range ops {
		if put := op.GetRequestPut(); put != nil {
			all = append(all, put)
		} else if txn := op.GetRequestTxn(); txn != nil {
			all = append(all, f.putsLocked(txn)...)
		}
	}
	return all
}

// txnLocked makes all changes at one revision.
func (f *fake) txnLocked(in *pb.TxnRequest, revision int64) *pb.TxnResponse {
	r := &pb.TxnResponse{Succeeded: f.holdsLocked(in)}
	ops := in.Failure
	if r.Succeeded {
		ops = in.Success
	}
	for _, op := range ops {
		answer := &pb.ResponseOp{}
		switch {
		case op.GetRequestTxn() != nil:
			answer.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: f.txnLocked(op.GetRequestTxn(), revision)}
		case op.GetRequestPut() != nil:
			put := op.GetRequestPut()
			f.revision = revision
			if f.swallow {
				answer.Response = &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{}}
				break
			}
			f.putLocked(string(put.Key), string(put.Value), put.Lease)
			answer.Response = &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{}}
		case op.GetRequestDeleteRange() != nil:
			for key := range f.keys {
				if within(key, op.GetRequestDeleteRange().Key, op.GetRequestDeleteRange().RangeEnd) {
					f.revision = revision - 1 // deleteLocked takes the next
					f.deleteLocked(key)
				}
			}
			answer.Response = &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: &pb.DeleteRangeResponse{}}
		case op.GetRequestRange() != nil:
			answer.Response = &pb.ResponseOp_ResponseRange{ResponseRange: f.rangeLocked(op.GetRequestRange())}
		}
		r.Responses = append(r.Responses, answer)
	}
	r.Header = f.headerLocked()
	return r
}

type fakeLease struct {
	pb.LeaseClient
	fake *fake
}

func (l fakeLease) LeaseGrant(ctx context.Context, in *pb.LeaseGrantRequest, _ ...grpc.CallOption) (*pb.LeaseGrantResponse, error) {
	f := l.fake
	if err := f.arrive(ctx, "grant", "", 0); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ttl := time.Duration(in.TTL) * time.Second
	id := int64(len(f.calls))
	for f.leases[id] != (lease{}) { // two calls may have arrived before the first is answered
		id++
	}
	f.leases[id] = lease{ttl: ttl, expiry: time.Now().Add(ttl)}
	return &pb.LeaseGrantResponse{Header: f.headerLocked(), ID: id, TTL: in.TTL}, nil
}

func (l fakeLease) LeaseRevoke(ctx context.Context, in *pb.LeaseRevokeRequest, _ ...grpc.CallOption) (*pb.LeaseRevokeResponse, error) {
	f := l.fake
	if err := f.arrive(ctx, "revoke", "", 0); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.leases[in.ID]; !ok {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	f.revokeLocked(in.ID)
	return &pb.LeaseRevokeResponse{Header: f.headerLocked()}, nil
}

func (l fakeLease) LeaseKeepAlive(ctx context.Context, _ ...grpc.CallOption) (pb.Lease_LeaseKeepAliveClient, error) {
	return &fakeStream{ctx: ctx, fake: l.fake}, nil
}

type fakeStream struct {
	grpc.ClientStream
	ctx  context.Context
	fake *fake
	id   int64
}

func (s *fakeStream) Send(in *pb.LeaseKeepAliveRequest) error { s.id = in.ID; return nil }
func (s *fakeStream) CloseSend() error                        { return nil }

func (s *fakeStream) Recv() (*pb.LeaseKeepAliveResponse, error) {
	f := s.fake
	if err := f.arrive(s.ctx, "keepalive", "", 0); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireLocked()
	l, ok := f.leases[s.id]
	if !ok {
		return &pb.LeaseKeepAliveResponse{Header: f.headerLocked(), ID: s.id}, nil
	}
	l.expiry = time.Now().Add(l.ttl)
	f.leases[s.id] = l
	return &pb.LeaseKeepAliveResponse{Header: f.headerLocked(), ID: s.id, TTL: int64(l.ttl / time.Second)}, nil
}

type fakeWatch struct{ fake *fake }

// Watch begins a stream, which ends with ctx, or when a watch is wanted and
// intercept fails the call.
func (w fakeWatch) Watch(ctx context.Context, _ ...grpc.CallOption) (pb.Watch_WatchClient, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &fakeWatchStream{ctx: ctx, cancel: cancel, fake: w.fake, told: make(chan *pb.WatchResponse), ends: map[int64]context.CancelFunc{}}, nil
}

type fakeWatchStream struct {
	grpc.ClientStream
	ctx    context.Context
	cancel context.CancelCauseFunc
	fake   *fake
	told   chan *pb.WatchResponse

	mu      sync.Mutex // guards all below
	created int64
	ends    map[int64]context.CancelFunc
}

func (s *fakeWatchStream) Recv() (*pb.WatchResponse, error) {
	select {
	case r := <-s.told:
		return r, nil
	case <-s.ctx.Done():
		return nil, status.FromContextError(context.Cause(s.ctx)).Err()
	}
}

// Send does what is wanted. A request for progress makes each watch say that it
// is there, unless intercept fails the call.
func (s *fakeWatchStream) Send(in *pb.WatchRequest) error {
	f := s.fake
	switch {
	case in.GetProgressRequest() != nil:
		if err := f.arrive(s.ctx, "progress", "", 0); err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked++
		f.changed.tell()
	case in.GetCancelRequest() != nil:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ends[in.GetCancelRequest().WatchId]()
	default:
		go s.watch(in.GetCreateRequest()) // ends with ctx, which the code under test has to cancel
	}
	return s.ctx.Err()
}

func (s *fakeWatchStream) tell(ctx context.Context, r *pb.WatchResponse) (ended bool) {
	select {
	case s.told <- r:
		return r.Canceled
	case <-ctx.Done():
		return true
	}
}

func (s *fakeWatchStream) watch(in *pb.WatchCreateRequest) {
	f, prefix, next := s.fake, string(in.Key), in.StartRevision
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if err := f.arrive(ctx, "watch", prefix, next); err != nil {
		s.cancel(err)
		return
	}
	s.mu.Lock()
	id := s.created
	s.created++
	s.ends[id] = cancel
	s.mu.Unlock()
	f.mu.Lock()
	asked, header := f.asked, f.headerLocked()
	f.mu.Unlock()
	if s.tell(ctx, &pb.WatchResponse{Header: header, WatchId: id, Created: true}) {
		return
	}
	for {
		f.mu.Lock()
		wanted := f.asked != asked
		asked = f.asked
		r := &pb.WatchResponse{Header: f.headerLocked(), WatchId: id}
		if next <= f.compacted {
			r.Canceled, r.CompactRevision = true, f.compacted
		}
		for _, e := range f.events {
			if e.Kv.ModRevision >= next && strings.HasPrefix(string(e.Kv.Key), prefix) {
				r.Events = append(r.Events, e)
			}
		}
		if f.garble != nil && len(r.Events) > 0 {
			r.Events = f.garble(slices.Clone(r.Events))
		}
		next = f.revision + 1
		changed := f.changed.next()
		f.mu.Unlock()
		if (r.Canceled || len(r.Events) > 0 || wanted) && s.tell(ctx, r) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
