package etcd

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// own is a record as it should stand in etcd: this value under our lease.
type own struct {
	key, value string
	lease      clientv3.LeaseID
}

// differs says that etcd holds something else than it should.
type differs struct{ key, what string }

func (e *differs) Error() string { return "etcd: " + e.key + " " + e.what }

// put writes the record and reads it back.
func (o own) put(ctx context.Context, kv clientv3.KV) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := kv.Put(call, o.key, o.value, clientv3.WithLease(o.lease)); err != nil {
		return err
	}
	return o.check(ctx, kv)
}

// check reads the record. It returns a [*differs] where it is missing, under
// another lease or changed: somebody's put without a lease would otherwise
// stand for ever, and a living lease says nothing of its keys.
func (o own) check(ctx context.Context, kv clientv3.KV) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := kv.Get(ctx, o.key)
	switch {
	case err != nil:
		return err
	case len(r.Kvs) == 0:
		return &differs{o.key, "is missing"}
	case r.Kvs[0].Lease != int64(o.lease):
		return &differs{o.key, fmt.Sprintf("is under lease %s, not %s", leaseName(clientv3.LeaseID(r.Kvs[0].Lease)), leaseName(o.lease))}
	case string(r.Kvs[0].Value) != o.value:
		return &differs{o.key, "has a record of somebody else"}
	}
	return nil
}

// remove deletes the record unless it is no longer ours: a process that took
// over the key keeps it.
func (o own) remove(ctx context.Context, kv clientv3.KV) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := kv.Txn(ctx).
		If(clientv3.Compare(clientv3.LeaseValue(o.key), "=", o.lease)).
		Then(clientv3.OpDelete(o.key)).
		Commit()
	return err
}
