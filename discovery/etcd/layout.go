package etcd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/fairlead-go/fairlead/discovery"
)

// Layout is how another framework keeps instances in etcd, for a [Reader]. It
// is called by several goroutines. [GoZero] and [Kratos] are two; a team that
// moves service by service from something else writes a third.
type Layout interface {
	// Prefix is where the instances of a service stand. It ends in a slash.
	Prefix(service string) string
	// Decode returns the instance that stands at the prefix followed by id. It
	// need not fill in ID and Service. Metadata that breaks the limits is left
	// out afterwards, and the instance is validated as if it had registered
	// here; an error has the record skipped and shown.
	Decode(service, id string, value []byte) (discovery.Instance, error)
}

// ReaderConfig says where a [Reader] finds etcd and how to understand it.
type ReaderConfig struct {
	Config Config // TTL and Caller are not used
	Layout Layout
}

// Open returns a new [Reader]; the caller closes it.
func (c ReaderConfig) Open() (discovery.Registry, error) { return NewReader(c) }

// Validate reports the first bad field as a [*discovery.FieldError].
func (c ReaderConfig) Validate() error {
	if c.Layout == nil {
		return &discovery.FieldError{Field: "ReaderConfig.Layout", Value: nil, Allowed: "a Layout, such as GoZero{}"}
	}
	return c.Config.Validate()
}

// Reader is a [discovery.Registry] over what other frameworks registered in
// etcd. It writes nothing. All else is as with a [Registry]: lists and watches,
// what is kept through an outage, and the overrides of operators, which stand
// below the prefix of its Config.
type Reader struct{ registry *Registry }

// NewReader returns a reader that connects to etcd when it is first used. The
// error is a [*discovery.FieldError].
func NewReader(c ReaderConfig) (*Reader, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Config.Caller = ""
	r, err := New(c.Config)
	if err != nil {
		return nil, err
	}
	r.layout = c.Layout
	return &Reader{r}, nil
}

// Watch implements [discovery.Registry].
func (r *Reader) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	if prefix := r.registry.layout.Prefix(service); !strings.HasSuffix(prefix, "/") {
		err := &discovery.FieldError{Field: "Layout.Prefix(" + service + ")", Value: prefix, Allowed: "a prefix that ends in a slash, so that it is of one service"}
		return func(yield func(discovery.Snapshot, error) bool) { yield(discovery.Snapshot{Service: service}, err) }
	}
	return r.registry.Watch(ctx, service)
}

// Local is [Registry.Local].
func (r *Reader) Local() bool { return r.registry.Local() }

// Refresh is [Registry.Refresh].
func (r *Reader) Refresh(ctx context.Context, service string) error {
	return r.registry.Refresh(ctx, service)
}

// Inspect is [Registry.Inspect].
func (r *Reader) Inspect() State { return r.registry.Inspect() }

// State is [Reader.Inspect] for those to whom the reader is one of several
// registries, such as the debug dump of a mesh.
func (r *Reader) State() any { return r.Inspect() }

// Close ends all watches and closes the connection.
func (r *Reader) Close(ctx context.Context) error { return r.registry.Close(ctx) }

// decoder turns a key of a service into an instance.
type decoder func(service, id string, kv *mvccpb.KeyValue) (i discovery.Instance, dropped int, err error)

// foreign is the decoder of a layout.
func foreign(l Layout) decoder {
	return func(service, id string, kv *mvccpb.KeyValue) (i discovery.Instance, dropped int, err error) {
		switch {
		case len(kv.Value) > maxRecord:
			return i, 0, fmt.Errorf("value has %d bytes, at most %d are allowed", len(kv.Value), maxRecord)
		case kv.Lease == 0:
			return i, 0, errors.New("no lease, so that nothing would remove it")
		}
		if i, err = l.Decode(service, id, kv.Value); err != nil {
			return i, 0, err
		}
		i.ID, i.Service = id, service
		i.Meta, dropped = discovery.SanitizeMeta(i.Meta)
		return i, dropped, i.Validate()
	}
}

// GoZero is the [Layout] of go-zero (core/discov): <key>/<id> holds host:port.
type GoZero struct {
	// Key maps a service to go-zero's key. Nil: they are the same.
	Key func(service string) string
}

// Prefix implements [Layout].
func (l GoZero) Prefix(service string) string {
	if l.Key != nil {
		service = l.Key(service)
	}
	return strings.TrimSuffix(service, "/") + "/"
}

// Decode implements [Layout].
func (GoZero) Decode(_, _ string, value []byte) (discovery.Instance, error) {
	return discovery.Instance{Addr: string(value)}, nil
}
