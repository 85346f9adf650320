package caller

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// published opens a registry that writes down what it says before the mesh
// hears it.
type published struct {
	config   etcd.Config
	recorder *recorder
}

// Open implements transport.Opener.
func (p published) Open() (discovery.Registry, error) {
	r, err := etcd.New(p.config)
	if err != nil {
		return nil, err
	}
	return &etcdRegistry{r, p.recorder}, nil
}

// etcdRegistry is one of etcd in all but its watches.
type etcdRegistry struct {
	*etcd.Registry
	recorder *recorder
}

// Watch implements discovery.Registry.
func (r *etcdRegistry) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return r.recorder.watch(r.Registry.Watch(ctx, service))
}

// resolved is published for names.
type resolved struct {
	config   discovery.DNSConfig
	recorder *recorder
}

// Open implements transport.Opener.
func (p resolved) Open() (discovery.Registry, error) {
	r, err := discovery.NewDNS(p.config)
	if err != nil {
		return nil, err
	}
	return &dnsRegistry{r, p.recorder}, nil
}

// dnsRegistry is one of names in all but its watches.
type dnsRegistry struct {
	*discovery.DNS
	recorder *recorder
}

// Watch implements discovery.Registry.
func (r *dnsRegistry) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return r.recorder.watch(r.DNS.Watch(ctx, service))
}

// watch writes down what a watch yields, and how long it took to be in use.
func (r *recorder) watch(all iter.Seq2[discovery.Snapshot, error]) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		for s, err := range all {
			p := publication(r, s, err)
			more := yield(s, err)
			p.Took = r.now() - p.At
			r.writer.Publication(p)
			if !more {
				return
			}
		}
	}
}

// saved writes down the list that the client will find on disk, if there is
// one: it was published in another life.
func (r *recorder) saved(settings Settings) {
	if settings.Snapshots == "" {
		return
	}
	if s, err := discovery.SnapshotDir(settings.Snapshots).Load(settings.Service); err == nil {
		r.writer.Publication(publication(r, s, nil))
	}
}

func publication(r *recorder, s discovery.Snapshot, err error) history.Publication {
	p := history.Publication{At: r.now(), Revision: s.Revision, State: s.State.String(), Refused: s.Refused}
	if err != nil {
		p.Err = err.Error()
	}
	for _, i := range s.Instances {
		if !r.callable(i) {
			continue
		}
		if i.Draining {
			p.Draining = append(p.Draining, i.ID)
		} else {
			p.Serving = append(p.Serving, i.ID)
		}
	}
	return p
}

// Hostile is how the IDs of instances begin that nobody may ever call.
const Hostile = "hostile-"

// callable reports whether calls may go to an instance at all.
func (r *recorder) callable(i *discovery.Instance) bool {
	speaks := func(e discovery.Endpoint) bool { return e.Protocol == r.spoken }
	return !strings.HasPrefix(i.ID, Hostile) && (len(i.Endpoints) == 0 || slices.ContainsFunc(i.Endpoints, speaks))
}
