package etcd

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// clientSet is the set of a service's clients as their keys tell it. It is not
// safe for concurrent use.
type clientSet struct {
	prefix  string // of the keys
	self    string // the ID of this process
	most    int    // keys of which something is kept
	demands map[string]demand
	refused map[string]struct{} // by what comes after prefix: those that cannot be understood
	beyond  int                 // keys of which nothing is kept, since there are too many
}

func newClientSet(prefix, self string) clientSet {
	return clientSet{prefix: prefix, self: self, most: discovery.MaxClients, demands: map[string]demand{}, refused: map[string]struct{}{}}
}

// number is how many clients there are. What is not kept counts as one.
func (s *clientSet) number() int { return len(s.demands) + s.beyond }

// replace makes the set that of these keys and no others. It reports whether
// that is another one, as put and remove do.
func (s *clientSet) replace(all []*mvccpb.KeyValue) (changed bool) {
	here := make(map[string]bool, len(all))
	for _, kv := range all {
		here[s.id(kv)] = true
	}
	changed = s.beyond > 0 // nobody knows
	s.beyond = 0
	for _, id := range slices.AppendSeq(slices.Collect(maps.Keys(s.demands)), maps.Keys(s.refused)) {
		if !here[id] {
			changed = s.remove(id) || changed
		}
	}
	for _, kv := range all {
		changed = s.put(kv, true) || changed
	}
	return changed
}

func (s *clientSet) apply(e *mvccpb.Event) (changed bool) {
	if e.Type == mvccpb.Event_DELETE {
		return s.remove(s.id(e.Kv))
	}
	return s.put(e.Kv, e.Kv.CreateRevision == e.Kv.ModRevision)
}

// id is what a key is known by: what comes after the prefix.
func (s *clientSet) id(kv *mvccpb.KeyValue) string {
	return strings.TrimPrefix(string(kv.Key), s.prefix)
}

func (s *clientSet) put(kv *mvccpb.KeyValue, created bool) (changed bool) {
	id := s.id(kv)
	before, known := s.demands[id]
	_, refused := s.refused[id]
	if !known && !refused {
		switch full := len(s.demands)+len(s.refused) >= s.most; {
		case full && created:
			s.beyond++
			return true
		case full:
			return false
		case !created && s.beyond > 0: // there was no room for it when it came
			s.beyond--
		}
	}
	c, err := decodeClient(kv)
	if !discovery.ValidID(id) {
		err = errors.New("key is not of the form clients/<service>/<id>")
	}
	if err != nil {
		delete(s.demands, id)
		s.refused[id] = struct{}{}
		return !refused
	}
	delete(s.refused, id)
	s.demands[id] = c.Demand
	return !known || !maps.Equal(before, c.Demand)
}

// remove takes away what stood at a key. What is not kept is one of those that
// are counted: etcd tells of no deletion but of what was there.
func (s *clientSet) remove(id string) (changed bool) {
	_, known := s.demands[id]
	_, refused := s.refused[id]
	delete(s.demands, id)
	delete(s.refused, id)
	if known || refused {
		return true
	}
	if s.beyond == 0 {
		return false
	}
	s.beyond--
	return true
}

// fill writes the set into c, which keeps it as it is now.
func (s *clientSet) fill(c *discovery.Clients) {
	c.Clients, c.Number, c.Refused = make([]discovery.Client, 0, len(s.demands)), s.number(), len(s.refused)
	for id, d := range s.demands {
		c.Clients = append(c.Clients, discovery.Client{ID: id, Self: id == s.self, Demand: d})
	}
	slices.SortFunc(c.Clients, func(a, b discovery.Client) int { return strings.Compare(a.ID, b.ID) })
}
