package etcd

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// InstanceRecord is what stands in etcd of one instance.
type InstanceRecord struct {
	ID string `json:"id"`
	// Instance is as clients see it, what its operator says merged in. Nil:
	// there is none, or its record was refused.
	Instance *discovery.Instance `json:"instance,omitempty"`
	// Refused says why clients skip the record; empty: they do not.
	Refused string `json:"refused,omitempty"`
	// Hidden says that clients see a younger instance at the same address, and
	// not this one; Surplus that there are too many.
	Hidden  bool `json:"hidden,omitempty"`
	Surplus bool `json:"surplus,omitempty"`
	// Override is what its operator says, be it over; nil: nothing, or
	// OverrideRefused says why it cannot be understood.
	Override        *Override `json:"override,omitempty"`
	OverrideRefused string    `json:"overrideRefused,omitempty"`
}

// Instances lists all that stands in etcd of the instances of a service, by
// ID: those that clients see, those that they do not, and what is said of IDs
// that nobody has.
func (o *Operator) Instances(ctx context.Context, service string) ([]InstanceRecord, error) {
	if err := discovery.ValidateService(service); err != nil {
		return nil, err
	}
	records, at, err := o.list(ctx, below(o.keys.service(service)), 0)
	if err != nil {
		return nil, err
	}
	words, _, err := o.list(ctx, below(o.keys.overrides(service)), at)
	if err != nil {
		return nil, err
	}
	return o.records(service, records, words), nil
}

// records puts together what stands at the keys of a service.
func (o *Operator) records(service string, records, words []*mvccpb.KeyValue) []InstanceRecord {
	all, now := map[string]*InstanceRecord{}, time.Now()
	of := func(id string) *InstanceRecord {
		if all[id] == nil {
			all[id] = &InstanceRecord{ID: id}
		}
		return all[id]
	}
	s := newInstances(service, o.keys.service(service), o.config.MaxInstances, slog.New(slog.DiscardHandler))
	s.overrides = map[string]Override{}
	for _, kv := range words {
		id := strings.TrimPrefix(string(kv.Key), o.keys.overrides(service))
		word, err := decodeOverride(kv)
		if err != nil {
			of(id).OverrideRefused = err.Error()
			continue
		}
		of(id).Override = &word
		if !word.over(now) {
			s.overrides[id] = word
		}
	}
	s.replace(records)
	shown := map[string]bool{}
	for _, i := range s.shown {
		shown[i.ID] = true
	}
	for _, e := range s.entries {
		r := of(e.id)
		r.Refused, r.Surplus = message(e.refusal), e.surplus
		if e.refusal == nil {
			r.Instance, r.Hidden = e.instance, !shown[e.id] && !e.surplus
		}
	}
	list := make([]InstanceRecord, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		list = append(list, *all[id])
	}
	return list
}
