package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// Client is a process that calls a service.
type Client struct {
	ID      string    `json:"id"`
	Service string    `json:"service"` // in whose name it calls; empty: it has none
	Library string    `json:"library,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Edition of the rule documents that it reads; 0: it obeys none.
	Edition int `json:"edition"`
	// Applied is the revision of the rules that it obeys, 0 if there are none;
	// Refused that of the latest document if it refused it, for a Reason.
	Applied int64  `json:"applied,omitempty"`
	Refused int64  `json:"refused,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Demand is how many calls per second it would make under each limit that is
	// shared, by the limit's name; nil: it has shown none.
	Demand map[string]float64 `json:"demand,omitempty"`
	// Malformed says why the record cannot be understood; then there is only
	// its ID.
	Malformed string `json:"malformed,omitempty"`
}

// Reads reports whether the client can read a document.
func (c Client) Reads(p rule.Policy) bool { return c.Edition >= p.Edition() }

// Clients lists who calls a service just now, as far as they have a name, see
// [Config].Caller, or share a limit of the service. One that died is listed until
// its lease ends.
func (o *Operator) Clients(ctx context.Context, service string) ([]Client, error) {
	if err := discovery.ValidateService(service); err != nil {
		return nil, err
	}
	prefix := o.keys.clients(service)
	kvs, _, err := o.list(ctx, below(prefix), 0)
	if err != nil {
		return nil, err
	}
	all := make([]Client, len(kvs))
	for n, kv := range kvs {
		id := string(kv.Key[len(prefix):])
		if all[n], err = decodeClient(kv); err != nil {
			all[n] = Client{Malformed: err.Error()}
		}
		all[n].ID = id
	}
	return all, nil
}

// clientRecord is the value of a client's key.
type clientRecord struct {
	Service string    `json:"service"` // of the caller; "": it has no name
	Library string    `json:"library,omitempty"`
	Since   time.Time `json:"since"`
	// Edition of the rule documents that the client reads; 0: it obeys none.
	Edition int          `json:"edition,omitempty"`
	Rules   *rulesReport `json:"rules,omitempty"`
	Demand  demand       `json:"demand,omitempty"`
}

func decodeClient(kv *mvccpb.KeyValue) (Client, error) {
	if len(kv.Value) > maxRecord {
		return Client{}, fmt.Errorf("value has %d bytes, at most %d are allowed", len(kv.Value), maxRecord)
	}
	if kv.Lease == 0 {
		return Client{}, errors.New("no lease, so that nothing would remove it")
	}
	if err := strict(kv.Value); err != nil {
		return Client{}, err
	}
	var r clientRecord
	if err := json.Unmarshal(kv.Value, &r); err != nil {
		return Client{}, err
	}
	if r.Service != "" {
		if err := discovery.ValidateService(r.Service); err != nil {
			return Client{}, err
		}
	}
	c := Client{Service: r.Service, Library: r.Library, Since: r.Since, Edition: r.Edition, Demand: r.Demand}
	if r.Rules != nil {
		c.Applied, c.Refused, c.Reason = r.Rules.Applied, r.Rules.Refused, r.Rules.Reason
	}
	return c, nil
}
