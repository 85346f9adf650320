package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// Rules reads the rules of a service. The zero value says that there are none.
func (o *Operator) Rules(ctx context.Context, service string) (RuleVersion, error) {
	r, err := o.standing(ctx, service)
	return r.stands, err
}

// History reads the versions that are kept of the rules of a service, the
// newest first.
func (o *Operator) History(ctx context.Context, service string) ([]RuleVersion, error) {
	if err := discovery.ValidateService(service); err != nil {
		return nil, err
	}
	kvs, _, err := o.list(ctx, below(o.keys.versions(service)), 0)
	if err != nil {
		return nil, err
	}
	var all []RuleVersion
	for _, kv := range slices.Backward(kvs) {
		if n, ok := o.keys.versionNumber(service, kv.Key); ok {
			all = append(all, decodeVersion(n, kv))
		}
	}
	return all, nil
}

// PutRules makes p the rules of its service, in the place of those that were
// read at a revision; 0: there were none. Of the versions the last
// [KeptVersions] are kept. It returns what stands now and what stood before: if
// that was a valid document, it has a number, whoever wrote it. A policy that
// clients would refuse is refused with [rule.Problems].
func (o *Operator) PutRules(ctx context.Context, p rule.Policy, read int64, note Note) (now, before RuleVersion, err error) {
	text, err := json.Marshal(p)
	if err != nil {
		return now, before, err
	}
	if _, err := rule.Decode(text); err != nil {
		return now, before, err
	}
	return o.writeRules(ctx, p.Spec.Service, text, read, note)
}

// DeleteRules takes back the rules of a service that were read at a revision.
// It is otherwise as PutRules. Where there are none it writes nothing.
func (o *Operator) DeleteRules(ctx context.Context, service string, read int64, note Note) (now, before RuleVersion, err error) {
	return o.writeRules(ctx, service, nil, read, note)
}

// standing is what there is of the rules of a service at one moment.
type standing struct {
	stands RuleVersion
	newest int64 // number of the newest version; 0: there is none
}

func (o *Operator) standing(ctx context.Context, service string) (s standing, err error) {
	if err := discovery.ValidateService(service); err != nil {
		return s, err
	}
	var r *clientv3.TxnResponse
	versions := below(o.keys.versions(service))
	err = o.do(ctx, func(ctx context.Context, client *clientv3.Client) (err error) {
		r, err = client.Txn(ctx).Then(
			clientv3.OpGet(o.keys.rule(service)),
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
		n, ok := o.keys.versionNumber(service, kv.Key)
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

// writeRules writes a document, or nil to delete what stands, together with its
// version.
func (o *Operator) writeRules(ctx context.Context, service string, text []byte, read int64, note Note) (now, before RuleVersion, err error) {
	if err := note.Validate(); err != nil {
		return now, before, err
	}
	s, err := o.standing(ctx, service)
	if err != nil {
		return now, before, err
	}
	conflict := &ConflictError{What: "the rules of " + service, Read: read, Found: s.stands.Revision}
	if s.stands.Revision != read {
		return now, before, conflict
	}
	before = s.stands
	if text == nil && before.Text == nil {
		return now, before, nil // there is nothing to delete
	}
	now = RuleVersion{Number: s.newest + 1, Text: text, At: time.Now().UTC(), Note: note}
	guards := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(o.keys.rule(service)), "=", read)}
	var writes []clientv3.Op
	keep := func(v RuleVersion) (value string, err error) {
		if value, err = v.encode(); err == nil {
			key := o.keys.version(service, v.Number)
			guards = append(guards, clientv3.Compare(clientv3.CreateRevision(key), "=", 0))
			writes = append(writes, clientv3.OpPut(key, value))
		}
		return value, err
	}
	if before.Number == 0 && before.Text != nil {
		// Somebody wrote it by other means. It is kept all the same, if it is good
		// for anything, so that it can be put back.
		if p, err := rule.Decode(before.Text); err == nil {
			canonical, err := json.Marshal(p)
			if err != nil {
				return now, before, err
			}
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
		writes = append(writes, clientv3.OpDelete(o.keys.rule(service)))
	} else {
		writes = append(writes, clientv3.OpPut(o.keys.rule(service), string(text)))
	}
	if oldest := now.Number - KeptVersions + 1; oldest > 1 {
		writes = append(writes, clientv3.OpDelete(o.keys.versions(service), clientv3.WithRange(o.keys.version(service, oldest))))
	}
	err = o.do(ctx, func(ctx context.Context, client *clientv3.Client) error {
		r, err := client.Txn(ctx).If(guards...).Then(writes...).Else(
			clientv3.OpGet(o.keys.rule(service)), clientv3.OpGet(o.keys.version(service, now.Number)),
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
