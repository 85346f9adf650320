package etcd

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// OverrideVersion is an override as it stands in etcd.
type OverrideVersion struct {
	Override Override
	Revision int64 // of the last write; 0: there is none
	// Refused says why nobody can understand it; empty: one can.
	Refused string
}

// Override reads what is said of an instance.
func (o *Operator) Override(ctx context.Context, service, id string) (v OverrideVersion, err error) {
	if err := validTarget(service, id); err != nil {
		return v, err
	}
	err = o.do(ctx, func(ctx context.Context, client *clientv3.Client) error {
		r, err := client.Get(ctx, o.keys.override(service, id))
		if err != nil || len(r.Kvs) == 0 {
			return err
		}
		v.Revision = r.Kvs[0].ModRevision
		var bad error
		if v.Override, bad = decodeOverride(r.Kvs[0]); bad != nil {
			v.Override, v.Refused = Override{}, bad.Error()
		}
		return nil
	})
	return v, err
}

// SetOverride says something of an instance, in the place of what was read at a
// revision, or takes that back where word is the zero value.
func (o *Operator) SetOverride(ctx context.Context, service, id string, word Override, read int64) error {
	if err := validTarget(service, id); err != nil {
		return err
	}
	if err := word.Validate(); err != nil {
		return err
	}
	value, err := word.encode()
	if err != nil {
		return err
	}
	key := o.keys.override(service, id)
	write := clientv3.OpPut(key, value)
	if word == (Override{}) {
		write = clientv3.OpDelete(key)
	}
	tries := 0
	return o.do(ctx, func(ctx context.Context, client *clientv3.Client) error {
		tries++
		r, err := client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(key), "=", read)).
			Then(write).
			Else(clientv3.OpGet(key)).
			Commit()
		if err != nil || r.Succeeded {
			return err
		}
		// After a try whose answer was lost it is no conflict to find one's own word.
		at := answer(r.Responses[0])
		if tries > 1 && (at == nil && word == (Override{}) || at != nil && string(at.Value) == value) {
			return nil
		}
		conflict := &ConflictError{What: "what is said of instance " + id + " of " + service, Read: read}
		if at != nil {
			conflict.Found = at.ModRevision
		}
		return conflict
	})
}

func validTarget(service, id string) error {
	if err := discovery.ValidateService(service); err != nil {
		return err
	}
	if !discovery.ValidID(id) {
		return &discovery.FieldError{Field: "id", Value: id, Allowed: "the ID of an instance"}
	}
	return nil
}
