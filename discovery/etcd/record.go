package etcd

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// maxRecord bounds the value of an instance's key, on write and on read.
const maxRecord = 8 << 10

// record is the value of an instance's key. Its outer form is that of etcd's
// naming package, whose resolver reads Addr and nothing else.
type record struct {
	Op       int // 0: add. There is no other in a store
	Addr     string
	Metadata json.RawMessage
}

// metadata is what this package has to say beyond Addr. Who adds a field lets
// its zero value mean what was true before; readers pass over fields that they
// do not know.
type metadata struct {
	ID        string               `json:"id"`
	Service   string               `json:"service"`
	Endpoints []discovery.Endpoint `json:"endpoints,omitempty"`
	Weight    int                  `json:"weight,omitempty"`
	Region    string               `json:"region,omitempty"`
	Zone      string               `json:"zone,omitempty"`
	Version   string               `json:"version,omitempty"`
	Draining  bool                 `json:"draining,omitempty"`
	BootID    string               `json:"bootID,omitempty"`
	StartedAt time.Time            `json:"startedAt,omitzero"`
	Meta      map[string]string    `json:"meta,omitempty"`
	// Incarnation is random and tells the process that wrote the record from
	// another one that has the same instance ID, before it or after.
	Incarnation string `json:"incarnation,omitempty"`
	// Library is who wrote the record.
	Library string `json:"library,omitempty"`
	// Static marks a record that may stand without a lease: an operator put
	// it there. Nothing in this package writes it.
	Static bool `json:"static,omitempty"`
}

// encode returns the record of a valid instance. The error is a
// [*discovery.FieldError].
func encode(i discovery.Instance, incarnation string) (string, error) {
	meta, err := json.Marshal(metadata{
		ID:        i.ID,
		Service:   i.Service,
		Endpoints: i.Endpoints,
		Weight:    i.Weight,
		Region:    i.Region,
		Zone:      i.Zone,
		Version:   i.Version,
		Draining:  i.Draining,
		BootID:    i.BootID,
		StartedAt: i.StartedAt,
		Meta:      i.Meta,
		Library:   library(),

		Incarnation: incarnation,
	})
	if err != nil { // a start time beyond the year 9999
		return "", &discovery.FieldError{Field: "Instance", Value: err.Error(), Allowed: "what can be written as JSON"}
	}
	value, err := json.Marshal(record{Addr: i.Addr, Metadata: meta})
	if err != nil {
		return "", err
	}
	if len(value) > maxRecord {
		return "", &discovery.FieldError{Field: "Instance", Value: fmt.Sprintf("of %d bytes", len(value)), Allowed: fmt.Sprintf("a record of at most %d bytes", maxRecord)}
	}
	return string(value), nil
}

// decode reads the instance of service that kv stands for, whose key ends in
// id. A record without our metadata was written by another program with
// etcd's naming package: it has an address and is otherwise taken as it is.
// Dropped is how many entries of its metadata were left out as malformed.
func decode(service, id string, kv *mvccpb.KeyValue) (i discovery.Instance, dropped int, err error) {
	if len(kv.Value) > maxRecord {
		return i, 0, fmt.Errorf("value has %d bytes, at most %d are allowed", len(kv.Value), maxRecord)
	}
	addr, m, ok := canonical(kv.Value)
	if !ok {
		if addr, m, err = read(service, kv.Value); err != nil {
			return i, 0, err
		}
	}
	m.ID = cmp.Or(m.ID, id)
	switch {
	case m.ID != id:
		return i, 0, fmt.Errorf("record is of the instance %.128q", m.ID)
	case m.Service != service:
		return i, 0, fmt.Errorf("record is of the service %.253q", m.Service)
	case kv.Lease == 0 && !m.Static:
		return i, 0, errors.New("no lease, so that nothing would remove it, and not marked static")
	}
	meta, dropped := discovery.SanitizeMeta(m.Meta)
	i = discovery.Instance{
		ID:        id,
		Service:   service,
		Addr:      addr,
		Endpoints: m.Endpoints,
		Weight:    m.Weight,
		Region:    m.Region,
		Zone:      m.Zone,
		Version:   m.Version,
		Draining:  m.Draining,
		BootID:    m.BootID,
		StartedAt: m.StartedAt,
		Meta:      meta,
	}
	return i, dropped, i.Validate()
}

// read reads a record in any form of JSON.
func read(service string, value []byte) (addr string, m metadata, err error) {
	if err := strict(value); err != nil {
		return "", m, err
	}
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return "", m, err
	}
	m.Service = service
	if err := json.Unmarshal(r.Metadata, &m); err != nil && ours(r.Metadata) {
		return "", m, err
	} else if err != nil || m.ID == "" && !m.Static {
		m = metadata{Service: service}
	}
	return r.Addr, m, nil
}

// ours reports whether raw follows our form and is to be held to it: it is an
// object that names its instance or is an operator's static record. raw is
// valid JSON, or nothing.
func ours(raw json.RawMessage) bool {
	var mark struct {
		ID     json.RawMessage `json:"id"`
		Static json.RawMessage `json:"static"`
	}
	return json.Unmarshal(raw, &mark) == nil && (bytes.HasPrefix(mark.ID, []byte(`"`)) || string(mark.Static) == "true")
}

// incarnationOf returns who wrote a record, or "" if it is none of ours.
func incarnationOf(value []byte) string {
	var r struct {
		Metadata struct {
			Incarnation string `json:"incarnation"`
		}
	}
	if json.Unmarshal(value, &r) != nil {
		return ""
	}
	return r.Metadata.Incarnation
}

// library names this library and its version, as far as the program knows it.
var library = sync.OnceValue(func() string {
	const path = "github.com/fairlead-go/fairlead"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == path && m.Version != "" {
				return "fairlead " + m.Version
			}
		}
	}
	return "fairlead"
})
