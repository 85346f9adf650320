package etcd

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ServiceSummary is what stands in etcd of one service, in numbers.
type ServiceSummary struct {
	Service   string `json:"service"`
	Instances int    `json:"instances"` // that clients see
	Draining  int    `json:"draining"`  // of these
	Refused   int    `json:"refused"`   // records that clients skip
	// Rules is the revision of the rules; 0: there are none.
	Rules   int64 `json:"rules"`
	Clients int   `json:"clients"` // that show themselves
}

// Services lists all services that have instances, rules or clients, by name,
// as of one moment.
func (o *Operator) Services(ctx context.Context) ([]ServiceSummary, error) {
	all := map[string]*ServiceSummary{}
	of := func(name string) *ServiceSummary {
		if all[name] == nil {
			all[name] = &ServiceSummary{Service: name}
		}
		return all[name]
	}
	read := func(kind string, at *int64, options ...clientv3.OpOption) (byService map[string][]*mvccpb.KeyValue, err error) {
		prefix := o.keys.prefix + kind + "/"
		kvs, revision, err := o.list(ctx, below(prefix), *at, options...)
		if err != nil {
			return nil, err
		}
		*at = cmp.Or(*at, revision)
		byService = map[string][]*mvccpb.KeyValue{}
		for _, kv := range kvs {
			name, _, _ := strings.Cut(strings.TrimPrefix(string(kv.Key), prefix), "/")
			byService[name] = append(byService[name], kv)
		}
		return byService, nil
	}
	var at int64
	records, err := read("instances", &at)
	if err != nil {
		return nil, err
	}
	words, err := read("overrides", &at)
	if err != nil {
		return nil, err
	}
	rules, err := read("rules", &at, clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	clients, err := read("clients", &at, clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	for name := range records {
		s := of(name)
		for _, r := range o.records(name, records[name], words[name]) {
			switch {
			case r.Refused != "":
				s.Refused++
			case r.Instance == nil || r.Hidden || r.Surplus:
			case r.Instance.Draining:
				s.Draining++
				s.Instances++
			default:
				s.Instances++
			}
		}
	}
	for name, kvs := range rules {
		of(name).Rules = kvs[0].ModRevision
	}
	for name, kvs := range clients {
		of(name).Clients = len(kvs)
	}
	list := make([]ServiceSummary, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, *all[name])
	}
	return list, nil
}
