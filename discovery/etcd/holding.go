package etcd

import (
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// holding is one key that the supervisor keeps in etcd under its lease.
type holding struct {
	key     string
	pause   *backoff.ExponentialBackOff
	changed broadcast
	// contested: another process may mean to have the same key, and has it
	// then. Other keys are written over what stands there.
	contested bool

	// All below is guarded by supervisor.mu.

	// What should be.
	value   string
	closing bool // it should not be at all

	// What is.
	held    bool      // others can see the value, as far as is known
	proved  bool      // it was read back under the lease of now
	gone    bool      // withdrawn for good
	since   time.Time // of held
	trouble error     // what went wrong last; nil: nothing
	lost    bool      // etcd lost a value that it had
	repairs int
	told    outlook // as it was logged last

	// seen is the revision of what stood at the key when it was read last; 0:
	// nothing. Only what was seen is written over.
	seen int64
	// settled: it was proved once. Whoever stands at the key before then is a
	// predecessor, whoever comes after is a successor.
	settled bool
	rival   string // the incarnation of the successor; "": there is none

	due     time.Time // when to look after it next; zero: now
	written time.Time // when it was last put, as far as is known
	// doubtful: the outcome of the last put is unknown. It may still arrive,
	// even after a deletion.
	doubtful bool
	// alone: a call for several was refused, so that it has to be asked for
	// each what is wrong.
	alone bool
}

// outlook is what is worth a line in the log when it changes.
type outlook struct{ held, troubled bool }

// errSuperseded says that another process has the key now.
var errSuperseded = errors.New("superseded: another process registered the same instance ID later")

// differs says that etcd holds something else than it should.
type differs struct{ key, what string }

func (e *differs) Error() string { return "etcd: " + e.key + " " + e.what }

// task is what a holding needs next.
type task uint8

const (
	toPut task = iota
	toCheck
	toRemove
)

func (h *holding) task() task {
	switch {
	case h.closing:
		return toRemove
	case h.proved, h.rival != "":
		return toCheck
	default:
		return toPut
	}
}

// op is the operation of a task. What stands at the key is read in the same
// transaction as it is written, so that the answer is the proof.
func (h *holding) op(t task, lease clientv3.LeaseID) clientv3.Op {
	read := clientv3.OpGet(h.key)
	switch t {
	case toPut:
		asSeen := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(h.key), "=", h.seen)}
		return clientv3.OpTxn(asSeen, []clientv3.Op{clientv3.OpPut(h.key, h.value, clientv3.WithLease(lease)), read}, []clientv3.Op{read})
	case toRemove:
		ours := []clientv3.Cmp{clientv3.Compare(clientv3.LeaseValue(h.key), "=", lease)}
		return clientv3.OpTxn(ours, []clientv3.Op{clientv3.OpDelete(h.key)}, nil)
	default:
		return read
	}
}

// observe compares what stands at the key with what should. A nil error means
// that it is the value, under the lease of now.
func (h *holding) observe(at *mvccpb.KeyValue, value string, lease clientv3.LeaseID, incarnation string) error {
	h.rival, h.seen = "", 0
	if at == nil {
		return &differs{h.key, "is missing"}
	}
	h.seen = at.ModRevision
	switch {
	case at.Lease == int64(lease) && string(at.Value) == value:
		return nil
	case at.Lease == int64(lease):
		return &differs{h.key, "has another value"}
	}
	if other := incarnationOf(at.Value); h.contested && h.settled && other != "" && other != incarnation {
		h.rival = other
		return fmt.Errorf("etcd: %s: %w", h.key, errSuperseded)
	}
	return &differs{h.key, fmt.Sprintf("is under lease %s, not %s", leaseName(clientv3.LeaseID(at.Lease)), leaseName(lease))}
}

func (h *holding) heldLocked(held bool, now time.Time) {
	if h.held != held {
		h.held, h.since = held, now
	}
}

// lostLocked takes note that etcd no longer holds the value.
func (h *holding) lostLocked(why error, now time.Time) {
	h.lost = h.lost || h.held || h.proved
	h.heldLocked(false, now)
	h.proved, h.trouble, h.due = false, why, time.Time{}
}
