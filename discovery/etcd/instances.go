package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// instances is the set of one service as its keys tell it. A change of one key
// decodes that key and moves pointers; nothing is built anew. It is not safe
// for concurrent use.
type instances struct {
	service   string
	prefix    string // of the keys
	most      int    // instances that are shown
	log       *slog.Logger
	decoder   decoder
	texts     texts
	overrides map[string]Override // by ID; those in force

	entries []*entry          // by ID: one for each key
	at      map[string]*entry // by address: the youngest, which leads to the older ones
	shown   []*discovery.Instance
	refused int
	dropped int    // entries of metadata
	surplus int    // instances above most
	cut     string // while there are some: the last ID by rank that is shown
	flood   int    // keys above flooded, of which nothing is kept; since the last list
}

// flooded is how many keys are kept track of, in multiples of most. What is
// written beyond counts as nothing until the next list.
const flooded = 4

// entry is what one key says.
type entry struct {
	id       string
	instance *discovery.Instance // with the override, if there is one
	record   *discovery.Instance // as it stands in etcd
	refusal  error               // why the record is skipped; nil: it is not
	dropped  int                 // entries of its metadata that were left out
	surplus  bool                // passed over, since there are too many
	created  int64               // revision in which the key came into being
	modified int64               // revision of this record
	older    *entry              // at the same address
}

// texts keeps one copy of each text that many instances share.
type texts map[string]string

func (t texts) intern(s *string) {
	if *s == "" {
		return
	}
	if known, ok := t[*s]; ok {
		*s = known
		return
	}
	if len(t) < 1024 { // it is for what repeats
		t[*s] = *s
	}
}

func newInstances(service, prefix string, most int, log *slog.Logger) *instances {
	return &instances{service: service, prefix: prefix, most: most, log: log, decoder: decode, texts: texts{service: service}, at: map[string]*entry{}}
}

// replace makes the set that of these keys and no others.
func (s *instances) replace(all []*mvccpb.KeyValue) {
	s.flood = 0
	here := make(map[string]bool, len(all))
	for _, kv := range all {
		here[s.id(kv.Key)] = true
	}
	for _, e := range slices.Clone(s.entries) {
		if !here[e.id] {
			s.remove(e)
		}
	}
	for _, kv := range all {
		s.put(kv)
	}
}

func (s *instances) apply(e *mvccpb.Event) {
	if e.Type != mvccpb.Event_DELETE {
		s.put(e.Kv)
	} else if n, ok := s.find(s.id(e.Kv.Key)); ok {
		s.remove(s.entries[n])
	}
}

// id is what a key is known by: what comes after the prefix.
func (s *instances) id(key []byte) string { return strings.TrimPrefix(string(key), s.prefix) }

func (s *instances) find(id string) (int, bool) {
	return slices.BinarySearchFunc(s.entries, id, func(e *entry, id string) int { return strings.Compare(e.id, id) })
}

func (s *instances) put(kv *mvccpb.KeyValue) {
	e := &entry{id: s.id(kv.Key), created: kv.CreateRevision, modified: kv.ModRevision}
	if _, ok := lastSegment(s.prefix, string(kv.Key)); ok {
		e.record, e.dropped, e.refusal = s.decode(e.id, kv)
	} else {
		e.refusal = errors.New("key is not of the form instances/<service>/<id>")
	}
	n, known := s.find(e.id)
	if !known && len(s.entries) >= flooded*s.most {
		if s.flood++; s.flood == 1 {
			s.log.Error("far more keys than instances are kept; the rest is not looked at", "most", flooded*s.most)
		}
		return
	}
	if e.refusal != nil && (!known || s.entries[n].modified != e.modified) {
		s.log.Warn("instance record skipped", "key", s.prefix+e.id, "revision", e.modified, "reason", e.refusal)
	}
	if known {
		e.adopt(s.entries[n])
		s.hide(s.entries[n])
		s.entries[n] = e
	} else {
		s.entries = slices.Insert(s.entries, n, e)
	}
	s.show(e)
}

func (s *instances) decode(id string, kv *mvccpb.KeyValue) (_ *discovery.Instance, dropped int, err error) {
	i, dropped, err := s.decoder(s.service, id, kv)
	if err != nil {
		return nil, 0, err
	}
	i.ID = id
	for _, text := range []*string{&i.Service, &i.Region, &i.Zone, &i.Version, &i.BootID} {
		s.texts.intern(text)
	}
	for n := range i.Endpoints {
		e := &i.Endpoints[n]
		protocol := string(e.Protocol)
		s.texts.intern(&protocol)
		e.Protocol = discovery.Protocol(protocol)
		if e.Addr == i.Addr {
			e.Addr = i.Addr // one copy of the text
		}
	}
	return &i, dropped, nil
}

func (s *instances) remove(e *entry) {
	s.hide(e)
	if n, ok := s.find(e.id); ok {
		s.entries = slices.Delete(s.entries, n, n+1)
	}
}

// override makes the operator's word on one instance, or its absence, count.
func (s *instances) override(id string) {
	if n, ok := s.find(id); ok && s.entries[n].record != nil {
		s.hide(s.entries[n])
		s.show(s.entries[n])
	}
}

// show lets an entry take its place. Of several instances at one address only
// the youngest is shown: a process that died hard and came back has its old
// record beside the new one until the lease ends.
func (s *instances) show(e *entry) {
	if e.refusal != nil {
		s.refused++
		return
	}
	s.dropped += e.dropped
	if is := s.overrides[e.id].of(e.record); e.instance == nil || !is.Equal(e.instance) {
		e.instance = is
	}
	addr := e.instance.Addr
	before := s.at[addr]
	if before == nil || e.younger(before) {
		if before != nil {
			s.withdraw(before)
		}
		e.older = before
		s.at[addr] = e
		s.display(e)
		return
	}
	for before.older != nil && before.older.younger(e) {
		before = before.older
	}
	e.older, before.older = before.older, e
}

// hide undoes show.
func (s *instances) hide(e *entry) {
	if e.refusal != nil {
		s.refused--
		return
	}
	s.dropped -= e.dropped
	addr := e.instance.Addr
	if s.at[addr] != e {
		before := s.at[addr]
		for before.older != e {
			before = before.older
		}
		before.older, e.older = e.older, nil
		return
	}
	s.withdraw(e)
	if e.older == nil {
		delete(s.at, addr)
		return
	}
	s.at[addr], e.older = e.older, nil
	s.display(s.at[addr])
}

// display adds an entry to what is shown. Above the limit, the last by rank are
// passed over: every reader passes over the same.
func (s *instances) display(e *entry) {
	if s.surplus > 0 && byRank(e.id, s.cut) > 0 {
		e.surplus = true
		s.surplus++
		return
	}
	s.insert(e)
	if len(s.shown) <= s.most {
		return
	}
	last := slices.MaxFunc(s.shown, func(a, b *discovery.Instance) int { return byRank(a.ID, b.ID) }).ID
	s.take(last)
	n, _ := s.find(last)
	s.entries[n].surplus = true
	if s.surplus++; s.surplus == 1 {
		s.log.Error("more instances than are kept; the rest is passed over", "most", s.most)
	}
	s.cut = slices.MaxFunc(s.shown, func(a, b *discovery.Instance) int { return byRank(a.ID, b.ID) }).ID
}

// withdraw undoes display. The first of those that were passed over, if there
// are any, takes the place.
func (s *instances) withdraw(e *entry) {
	if e.surplus {
		e.surplus = false
		s.surplus--
		return
	}
	s.take(e.id)
	if s.surplus == 0 {
		return
	}
	var first *entry
	for _, other := range s.entries {
		if other.surplus && (first == nil || byRank(other.id, first.id) < 0) {
			first = other
		}
	}
	first.surplus = false
	s.surplus--
	s.insert(first)
	s.cut = first.id
}

func (s *instances) insert(e *entry) {
	n, _ := slices.BinarySearchFunc(s.shown, e.id, byID)
	s.shown = slices.Insert(s.shown, n, e.instance)
}

func (s *instances) take(id string) {
	n, _ := slices.BinarySearchFunc(s.shown, id, byID)
	s.shown = slices.Delete(s.shown, n, n+1)
}

func byID(i *discovery.Instance, id string) int { return strings.Compare(i.ID, id) }

// byRank orders IDs by their hash, which nobody can choose who chooses the ID
// at random.
func byRank(a, b string) int {
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
}

func rank(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64()
}

// fill writes the set into snapshot, which keeps it as it is now.
func (s *instances) fill(snapshot *discovery.Snapshot) {
	snapshot.Instances = append(make([]*discovery.Instance, 0, len(s.shown)), s.shown...)
	snapshot.Refused, snapshot.Dropped = s.refused, s.dropped
	if s.refused == 0 && s.dropped == 0 {
		return
	}
	for _, e := range s.entries {
		if e.refusal != nil && len(snapshot.Refusals) < discovery.MaxRefusals {
			snapshot.Refusals = append(snapshot.Refusals, discovery.Refusal{Key: s.prefix + e.id, Reason: e.refusal.Error()})
		}
		if e.dropped > 0 && len(snapshot.Drops) < discovery.MaxRefusals {
			snapshot.Drops = append(snapshot.Drops, discovery.Refusal{Key: s.prefix + e.id, Reason: fmt.Sprintf("%d entries of its metadata break the limits", e.dropped)})
		}
	}
}

// hidden counts the instances at the address of a younger one.
func (s *instances) hidden() int { return len(s.entries) - s.refused - s.surplus - len(s.shown) }

// adopt keeps the pointers of an earlier entry of the same key where they say
// the same.
func (e *entry) adopt(before *entry) {
	if e.record != nil && before.record != nil && e.record.Equal(before.record) {
		e.record = before.record
	}
	e.instance = before.instance
}

func (e *entry) younger(other *entry) bool {
	return cmp.Or(cmp.Compare(e.created, other.created), cmp.Compare(e.id, other.id)) > 0
}
