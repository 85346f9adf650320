package etcd

import (
	"context"
	"errors"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// batchSize is how many holdings are served by one transaction. etcd allows
// 128 operations, and those of a transaction within it what the outer one
// leaves; a put takes two there.
const batchSize = 120

// checkAhead is how much earlier than due something is looked at, to save a
// transaction of its own.
const checkAhead = 5 * time.Second

// served is a holding with what etcd says of it.
type served struct {
	*holding
	value string // that was put or should be there
	at    *mvccpb.KeyValue
}

// serve does one task for several holdings in one transaction.
func (s *supervisor) serve(ctx context.Context, t task, batch []*holding) {
	s.mu.Lock()
	lease := s.lease
	ops, all := make([]clientv3.Op, len(batch)), make([]served, len(batch))
	for n, h := range batch {
		ops[n], all[n] = h.op(t, lease), served{holding: h, value: h.value}
	}
	s.mu.Unlock()

	var r *clientv3.TxnResponse
	err := s.conn.do(ctx, 0, func(ctx context.Context, client *clientv3.Client) (err error) {
		r, err = client.Txn(ctx).Then(ops...).Commit()
		return err
	})
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		s.leaseLost(err)
	case err != nil:
		s.failed(batch, t, err)
	case t == toRemove:
		s.withdrawn(batch...)
	default:
		for n := range all {
			all[n].at = answer(r.Responses[n])
		}
		s.observed(t, lease, all)
	}
}

// observed compares what was read with what should be.
func (s *supervisor) observed(t task, lease clientv3.LeaseID, all []served) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range all {
		rival, seen := h.rival, h.seen
		switch err := h.observe(h.at, h.value, lease, s.incarnation); {
		case err == nil:
			if t == toPut {
				h.written = now
			}
			s.confirmedLocked(h, now)
		case h.rival != "":
			if rival == "" {
				h.lostLocked(err, now)
			}
			h.trouble, h.due = err, now.Add(checkPause())
		case t == toCheck && rival != "":
			h.due = time.Time{} // the successor has left
		case t == toCheck:
			h.lostLocked(err, now)
		default: // what stood there was not what was seen before; now it is
			h.trouble, h.due = err, now.Add(h.pause.NextBackOff())
			if seen != h.seen {
				h.due = time.Time{}
			}
		}
		s.changedLocked(h.holding)
	}
}

// checkPause is the time between two looks at what is in order.
func checkPause() time.Duration { return between(24*time.Second, 30*time.Second) }

// confirmedLocked: the value was read back under the lease of now.
func (s *supervisor) confirmedLocked(h served, now time.Time) {
	h.heldLocked(true, now)
	h.pause.Reset()
	h.trouble, h.settled, h.alone = nil, true, false
	if h.lost {
		h.lost = false
		h.repairs++
	}
	if h.value == h.holding.value && !h.closing { // else there is more to do at once
		h.proved, h.doubtful = true, false
		h.due = now.Add(checkPause())
	}
}

// failed: it has to be tried again. Of several, each is then asked for by
// itself, so that one that is refused keeps nobody else waiting.
func (s *supervisor) failed(batch []*holding, t task, err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range batch {
		h.doubtful = h.doubtful || t == toPut
		if len(batch) > 1 && !timedOut(err) {
			h.alone, h.due = true, time.Time{}
			continue
		}
		h.alone = true
		h.trouble = err
		h.due = now.Add(h.pause.NextBackOff())
		if errors.Is(err, discovery.ErrUnauthorized) {
			h.due = now.Add(between(forbiddenPause, forbiddenPause*6/5))
		}
		s.changedLocked(h)
	}
}

// withdrawn: nothing of these is left. A put whose outcome was never known may
// still be on its way, so the holding is then removed once more when it must
// have arrived; nobody waits for that.
func (s *supervisor) withdrawn(batch ...*holding) {
	now := time.Now()
	var keys []string
	s.mu.Lock()
	for _, h := range batch {
		if !h.gone && h.contested {
			keys = append(keys, h.key)
		}
		h.gone, h.trouble = true, nil
		h.heldLocked(false, now)
		if h.doubtful && s.lease != 0 {
			h.doubtful = false
			h.due = now.Add(2 * longestCall)
		} else if s.holdings[h.key] == h {
			delete(s.holdings, h.key)
			delete(s.registrations, h.key)
			s.forgetLocked(h)
		}
		s.changedLocked(h)
	}
	s.mu.Unlock()
	switch {
	case len(keys) == 1:
		s.log.Info("instance withdrawn", "key", keys[0])
	case len(keys) > 1:
		s.log.Info("instances withdrawn", "instances", len(keys), "first", keys[0])
	}
}

// answer is what a read of one key found, by itself or in a transaction, whose
// last operation it is in either branch.
func answer(r *pb.ResponseOp) *mvccpb.KeyValue {
	if txn := r.GetResponseTxn(); txn != nil {
		r = txn.Responses[len(txn.Responses)-1]
	}
	if kvs := r.GetResponseRange().GetKvs(); len(kvs) > 0 {
		return kvs[0]
	}
	return nil
}
