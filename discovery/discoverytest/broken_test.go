package discoverytest_test

import (
	"context"
	"iter"
	"slices"

	"github.com/fairlead-go/fairlead/discovery"
)

// broken is a registry or registrar that breaks one promise, and the sub-tests
// of the suite that have to notice. What is nil is sound.
type broken struct {
	name      string
	carries   func(discovery.Instance) discovery.Instance // what its harness says
	registry  func(*discovery.Memory) discovery.Registry
	registrar func(*discovery.Memory) discovery.Registrar
	fails     []string
	skips     []string // for want of what they are about
}

func allBroken() []broken {
	return slices.Concat(
		[]broken{{name: "nothing"}},
		brokenRegistries(),
		brokenRegistrars(),
		brokenCarriers(),
	)
}

// watchFunc is a registry that is a function.
type watchFunc func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error]

func (f watchFunc) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return f(ctx, service)
}

// watching puts a body of its own between the sound sequence and its consumer.
func watching(body func(ctx context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool)) func(*discovery.Memory) discovery.Registry {
	return func(m *discovery.Memory) discovery.Registry {
		return watchFunc(func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
			return func(yield func(discovery.Snapshot, error) bool) { body(ctx, m.Watch(ctx, service), yield) }
		})
	}
}

// each lets alter change each snapshot, or suppress it. It is told how many the
// consumer has got already, and the sound form of the last one of them.
func each(alter func(yields int, before, s discovery.Snapshot) (discovery.Snapshot, bool)) func(*discovery.Memory) discovery.Registry {
	return watching(func(_ context.Context, inner iter.Seq2[discovery.Snapshot, error], yield func(discovery.Snapshot, error) bool) {
		yields, before := 0, discovery.Snapshot{}
		for s, err := range inner {
			altered, ok := s, true
			if err == nil {
				altered, ok = alter(yields, before, s)
			}
			if !ok {
				continue
			}
			yields, before = yields+1, s
			if !yield(altered, err) {
				return
			}
		}
	})
}

// leaking adds the instances of user-admin to those of user, as a prefix
// without its end does.
func leaking(when func(yields int) bool) func(*discovery.Memory) discovery.Registry {
	return func(m *discovery.Memory) discovery.Registry {
		return watchFunc(func(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
			return each(func(yields int, _, s discovery.Snapshot) (discovery.Snapshot, bool) {
				if service == "user" && when(yields) {
					for neighbour := range m.Watch(ctx, "user-admin") {
						s.Instances = slices.Concat(s.Instances, neighbour.Instances)
						discovery.Sort(s.Instances)
						break
					}
				}
				return s, true
			})(m).Watch(ctx, service)
		})
	}
}

func edited(s discovery.Snapshot, edit func(*discovery.Instance)) discovery.Snapshot {
	s.Instances = slices.Clone(s.Instances)
	for n := range s.Instances {
		i := *s.Instances[n]
		edit(&i)
		s.Instances[n] = &i
	}
	return s
}

func ids(s discovery.Snapshot) []string {
	var ids []string
	for _, i := range s.Instances {
		ids = append(ids, i.ID)
	}
	return ids
}
