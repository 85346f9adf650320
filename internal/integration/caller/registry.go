package caller

import (
	"context"
	"iter"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/history"
)

// published opens a registry that writes down what it says before the mesh
// hears it.
type published struct {
	opener interface {
		Open() (discovery.Registry, error)
	}
	recorder *recorder
}

// Open implements transport.Opener.
func (p published) Open() (discovery.Registry, error) {
	r, err := p.opener.Open()
	if err != nil {
		return nil, err
	}
	return &registry{r.(complete), p.recorder}, nil
}

// complete is all that a mesh asks of etcd's registry.
type complete interface {
	discovery.Registry
	discovery.Registrar
	Close(context.Context) error
	State() any
}

type registry struct {
	complete
	recorder *recorder
}

// Watch implements discovery.Registry.
func (r *registry) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		for s, err := range r.complete.Watch(ctx, service) {
			r.recorder.writer.Publication(publication(r.recorder, s, err))
			if !yield(s, err) {
				return
			}
		}
	}
}

func publication(r *recorder, s discovery.Snapshot, err error) history.Publication {
	p := history.Publication{At: r.now(), Revision: s.Revision, State: s.State.String(), Refused: s.Refused}
	if err != nil {
		p.Err = err.Error()
	}
	for _, i := range s.Instances {
		if _, _, ok := new(discovery.Reach).Endpoint(i, discovery.HTTP); !ok {
			continue // nobody whom these calls could reach
		}
		if i.Draining {
			p.Draining = append(p.Draining, i.ID)
		} else {
			p.Serving = append(p.Serving, i.ID)
		}
	}
	return p
}
