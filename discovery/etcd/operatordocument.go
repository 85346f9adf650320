package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// place is where a document stands.
type place struct {
	what     string // "the rules of orders"
	key      string
	versions string // what keys calls its versions by
	// again reads a document and writes it as it is written here.
	again func(text []byte) ([]byte, error)
}

func encoded[T any](v T, decode func([]byte) (T, error)) ([]byte, error) {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = decode(text)
	}
	return text, err
}

func again[T any](decode func([]byte) (T, error)) func([]byte) ([]byte, error) {
	return func(text []byte) ([]byte, error) {
		v, err := decode(text)
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	}
}

// kept reads the versions of a document, the newest first.
func (o *Operator) kept(ctx context.Context, d place) ([]RuleVersion, error) {
	kvs, _, err := o.list(ctx, below(o.keys.versions(d.versions)), 0)
	if err != nil {
		return nil, err
	}
	var all []RuleVersion
	for _, kv := range slices.Backward(kvs) {
		if n, ok := o.keys.versionNumber(d.versions, kv.Key); ok {
			all = append(all, decodeVersion(n, kv))
		}
	}
	return all, nil
}

// standing is what there is of a document at one moment.
type standing struct {
	stands RuleVersion
	newest int64 // number of the newest version; 0: there is none
}

func (o *Operator) standing(ctx context.Context, d place) (s standing, err error) {
	var r *clientv3.TxnResponse
	versions := below(o.keys.versions(d.versions))
	err = o.do(ctx, func(ctx context.Context, client *clientv3.Client) (err error) {
		r, err = client.Txn(ctx).Then(
			clientv3.OpGet(d.key),
			clientv3.OpGet(versions.from, clientv3.WithRange(versions.to), clientv3.WithKeysOnly()),
		).Commit()
		return err
	})
	if err != nil {
		return s, err
	}
	if kv := answer(r.Responses[0]); kv != nil {
		s.stands = RuleVersion{Revision: kv.ModRevision, Text: append([]byte{}, kv.Value...)}
	}
	var same *mvccpb.KeyValue // the version that stands
	for _, kv := range r.Responses[1].GetResponseRange().Kvs {
		n, ok := o.keys.versionNumber(d.versions, kv.Key)
		if !ok {
			continue
		}
		s.newest = max(s.newest, n)
		if kv.ModRevision == s.stands.Revision { // written in the same transaction
			s.stands.Number, same = n, kv
		}
	}
	if same == nil {
		return s, nil
	}
	return s, o.do(ctx, func(ctx context.Context, client *clientv3.Client) error {
		r, err := client.Get(ctx, string(same.Key))
		if err == nil && len(r.Kvs) == 1 {
			v := decodeVersion(s.stands.Number, r.Kvs[0])
			s.stands.At, s.stands.Note = v.At, v.Note
		}
		return err
	})
}

// write writes a document, or nil to delete what stands, together with its
// version.
func (o *Operator) write(ctx context.Context, d place, text []byte, read int64, note Note) (now, before RuleVersion, err error) {
	if err := note.Validate(); err != nil {
		return now, before, err
	}
	s, err := o.standing(ctx, d)
	if err != nil {
		return now, before, err
	}
	conflict := &ConflictError{What: d.what, Read: read, Found: s.stands.Revision}
	if s.stands.Revision != read {
		return now, before, conflict
	}
	before = s.stands
	if text == nil && before.Text == nil {
		return now, before, nil // there is nothing to delete
	}
	now = RuleVersion{Number: s.newest + 1, Text: text, At: time.Now().UTC(), Note: note}
	guards := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(d.key), "=", read)}
	var writes []clientv3.Op
	keep := func(v RuleVersion) (value string, err error) {
		if value, err = v.encode(); err == nil {
			key := o.keys.version(d.versions, v.Number)
			guards = append(guards, clientv3.Compare(clientv3.CreateRevision(key), "=", 0))
			writes = append(writes, clientv3.OpPut(key, value))
		}
		return value, err
	}
	if before.Number == 0 && before.Text != nil {
		// Somebody wrote it by other means. It is kept all the same, if it is good
		// for anything, so that it can be put back.
		if canonical, err := d.again(before.Text); err == nil {
			before.Number, now.Number = now.Number, now.Number+1
			before.Text, before.At, before.Note = canonical, now.At, Note{Reason: "found; it was written by other means"}
			if _, err := keep(before); err != nil {
				return now, before, err
			}
		}
	}
	value, err := keep(now)
	if err != nil {
		return now, before, err
	}
	if text == nil {
		writes = append(writes, clientv3.OpDelete(d.key))
	} else {
		writes = append(writes, clientv3.OpPut(d.key, string(text)))
	}
	if oldest := now.Number - KeptVersions + 1; oldest > 1 {
		writes = append(writes, clientv3.OpDelete(o.keys.versions(d.versions), clientv3.WithRange(o.keys.version(d.versions, oldest))))
	}
	err = o.do(ctx, func(ctx context.Context, client *clientv3.Client) error {
		r, err := client.Txn(ctx).If(guards...).Then(writes...).Else(
			clientv3.OpGet(d.key), clientv3.OpGet(o.keys.version(d.versions, now.Number)),
		).Commit()
		switch {
		case err != nil:
			return err
		case r.Succeeded:
			now.Revision = r.Header.Revision
			return nil
		}
		// An earlier try may have been made, and its answer lost.
		if kv := answer(r.Responses[1]); kv != nil && bytes.Equal(kv.Value, []byte(value)) {
			now.Revision = kv.ModRevision
			return nil
		}
		conflict.Found = 0
		if kv := answer(r.Responses[0]); kv != nil {
			conflict.Found = kv.ModRevision
		}
		return conflict
	})
	return now, before, err
}
