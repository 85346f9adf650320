package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// Override is an operator's word on one instance. It stands in a key of its
// own, so that the instance, which writes its record again after every loss,
// cannot erase it; readers merge the two. The zero value changes nothing.
type Override struct {
	// Drain makes the instance look as if it announced that it drains.
	Drain bool `json:"drain,omitempty"`
	// Weight takes the place of the instance's weight, from 1 to 10000; 0
	// leaves it.
	Weight int `json:"weight,omitempty"`
	// By and Reason are for people.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Until is when the override ends by itself, by the reader's clock. Zero:
	// never.
	Until time.Time `json:"until,omitzero"`
}

// Validate reports a bad field as a [*discovery.FieldError].
func (o Override) Validate() error {
	if o.Weight < 0 || o.Weight > discovery.MaxWeight {
		return &discovery.FieldError{Field: "Override.Weight", Value: o.Weight, Allowed: fmt.Sprintf("0 (meaning unchanged) to %d", discovery.MaxWeight)}
	}
	for _, f := range [...]struct{ field, value string }{{"Override.By", o.By}, {"Override.Reason", o.Reason}} {
		if len(f.value) > discovery.MaxMetaBytes {
			return &discovery.FieldError{Field: f.field, Value: f.value, Allowed: fmt.Sprintf("at most %d bytes", discovery.MaxMetaBytes)}
		}
	}
	if _, err := o.Until.MarshalText(); err != nil {
		return &discovery.FieldError{Field: "Override.Until", Value: o.Until, Allowed: "a time that RFC 3339 can write, in the years 0 to 9999"}
	}
	return nil
}

// overrideRecord is the value of an override's key.
type overrideRecord struct {
	State  string    `json:"state,omitempty"` // "drain" or nothing
	Weight int       `json:"weight,omitempty"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

const drained = "drain"

func (o Override) encode() (string, error) {
	r := overrideRecord{Weight: o.Weight, By: o.By, Reason: o.Reason, Until: o.Until}
	if o.Drain {
		r.State = drained
	}
	b, err := json.Marshal(r)
	return string(b), err
}

// decodeOverride reads what an operator wrote, perhaps by hand. An unknown
// field is an error: a misspelt one would silently drain nothing.
func decodeOverride(kv *mvccpb.KeyValue) (Override, error) {
	if len(kv.Value) > maxRecord {
		return Override{}, fmt.Errorf("value has %d bytes, at most %d are allowed", len(kv.Value), maxRecord)
	}
	if err := strict(kv.Value); err != nil {
		return Override{}, err
	}
	var r overrideRecord
	d := json.NewDecoder(bytes.NewReader(kv.Value))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Override{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Override{}, errors.New("there is more than one value")
	}
	if r.State != "" && r.State != drained {
		return Override{}, &discovery.FieldError{Field: "state", Value: r.State, Allowed: `"drain" or nothing`}
	}
	o := Override{Drain: r.State == drained, Weight: r.Weight, By: r.By, Reason: r.Reason, Until: r.Until}
	return o, o.Validate()
}

// of returns the instance as readers are to see it.
func (o Override) of(record *discovery.Instance) *discovery.Instance {
	if !o.Drain && o.Weight == 0 {
		return record
	}
	i := *record
	i.Draining = i.Draining || o.Drain
	if o.Weight != 0 {
		i.Weight = o.Weight
	}
	return &i
}

func (o Override) over(now time.Time) bool { return !o.Until.IsZero() && !now.Before(o.Until) }

// Override says something of an instance as its operator, or takes it back
// where o is the zero value. It waits for etcd, within ctx. Whoever calls it
// needs the right to write below overrides/.
func (r *Registry) Override(ctx context.Context, service, id string, o Override) error {
	if err := validTarget(service, id); err != nil {
		return err
	}
	if err := o.Validate(); err != nil {
		return err
	}
	value, err := o.encode()
	if err != nil {
		return err
	}
	// A connection of its own: those of the loops belong to their goroutines.
	c := newConn(r.config, r.dial)
	defer c.close()
	return c.do(ctx, 0, func(ctx context.Context, client *clientv3.Client) error {
		if o == (Override{}) {
			_, err := client.Delete(ctx, r.keys.override(service, id))
			return err
		}
		_, err := client.Put(ctx, r.keys.override(service, id), value)
		return err
	})
}
