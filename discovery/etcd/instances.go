package etcd

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// instances is the set of one service as its keys tell it. Each key is decoded
// once per change of it. It is not safe for concurrent use.
type instances struct {
	service string
	prefix  string // of the keys
	log     *slog.Logger
	entries map[string]entry // by key
}

// entry is what one key says.
type entry struct {
	instance *discovery.Instance
	refusal  error // why the record is skipped; nil: it is not
	created  int64 // revision in which the key came into being
	modified int64 // revision of this record
}

// replace makes the set that of these keys and no others.
func (s *instances) replace(all []*mvccpb.KeyValue) {
	before := s.entries
	s.entries = make(map[string]entry, len(all))
	for _, kv := range all {
		s.put(kv, before[string(kv.Key)])
	}
}

func (s *instances) apply(e *mvccpb.Event) {
	if e.Type == mvccpb.Event_DELETE {
		delete(s.entries, string(e.Kv.Key))
		return
	}
	s.put(e.Kv, s.entries[string(e.Kv.Key)])
}

func (s *instances) put(kv *mvccpb.KeyValue, before entry) {
	key := string(kv.Key)
	now := entry{created: kv.CreateRevision, modified: kv.ModRevision}
	if id, ok := lastSegment(s.prefix, key); ok {
		instance, err := decode(s.service, id, kv)
		now.instance, now.refusal = &instance, err
	} else {
		now.refusal = errors.New("key is not of the form instances/<service>/<id>")
	}
	if now.refusal != nil && before.modified != now.modified {
		s.log.Warn("instance record skipped", "key", key, "revision", kv.ModRevision, "reason", now.refusal)
	}
	s.entries[key] = now
}

// fill writes the set into snapshot. Of several instances at one address only
// the youngest is there: a process that died hard and came back has its old
// record beside the new one until the lease ends.
func (s *instances) fill(snapshot *discovery.Snapshot) {
	at := make(map[string]entry, len(s.entries))
	var refused []string
	for key, e := range s.entries {
		if e.refusal != nil {
			refused = append(refused, key)
			continue
		}
		if other, taken := at[e.instance.Addr]; !taken || e.younger(other) {
			at[e.instance.Addr] = e
		}
	}
	snapshot.Instances = make([]*discovery.Instance, 0, len(at))
	for e := range maps.Values(at) {
		snapshot.Instances = append(snapshot.Instances, e.instance)
	}
	discovery.Sort(snapshot.Instances)

	slices.Sort(refused)
	snapshot.Refused = len(refused)
	for _, key := range refused[:min(len(refused), discovery.MaxRefusals)] {
		snapshot.Refusals = append(snapshot.Refusals, discovery.Refusal{Key: key, Reason: s.entries[key].refusal.Error()})
	}
}

func (e entry) younger(other entry) bool {
	return cmp.Or(cmp.Compare(e.created, other.created), cmp.Compare(e.instance.ID, other.instance.ID)) > 0
}
