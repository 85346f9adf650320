package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// history says which store was read and how far it had come. A store that was
// wiped or restored from a backup has the cluster ID that it had before, and
// its revisions begin anew; watches opened before then wait in silence.
type history struct {
	revision int64  // 0: unknown
	epoch    string // value and create revision of the epoch key; "": there is none
	denied   bool   // reading it is forbidden; nothing is known then
	keys     int    // that were listed then, as a hint
}

// readHistory is one linearizable read, thus also the proof that etcd answers
// and has a leader.
func readHistory(ctx context.Context, kv clientv3.KV, epochKey string) (history, error) {
	r, err := kv.Get(ctx, epochKey)
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return history{denied: true}, nil // etcd answers, but not this; be it so
	}
	if err != nil {
		return history{}, err
	}
	h := history{revision: r.Header.Revision}
	if len(r.Kvs) == 1 {
		h.epoch = fmt.Sprintf("%s@%d", r.Kvs[0].Value, r.Kvs[0].CreateRevision)
	}
	return h, nil
}

// contradicts reports whether h cannot be a later state of the store of old.
func (h history) contradicts(old history) bool {
	return h.revision != 0 && (h.revision < old.revision || old.epoch != "" && h.epoch != old.epoch)
}

// unchanged reports whether h proves that nothing was written since old. No
// epoch, no proof.
func (h history) unchanged(old history) bool {
	return h.epoch != "" && h.epoch == old.epoch && h.revision == old.revision
}

// beginHistory creates the epoch key where there is none. Whoever is not
// allowed to leaves it to others.
func beginHistory(ctx context.Context, kv clientv3.KV, epochKey string) error {
	_, err := kv.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(epochKey), "=", 0)).
		Then(clientv3.OpPut(epochKey, discovery.NewID())).
		Commit()
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return nil
	}
	return err
}
