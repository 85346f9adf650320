package discovery_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/discoverytest"
)

func TestCompositeKeepsTheContract(t *testing.T) {
	first, second := func(string) int { return 0 }, func(string) int { return 1 }
	for _, row := range []struct {
		name string
		rule discovery.Rule
		// into says which member holds an instance; nil: all, by way of the
		// composite, which is tested as a registrar, too.
		into func(id string) int
	}{
		{"Prefer", discovery.Prefer, nil},
		{"PreferTheFirst", discovery.Prefer, first},
		{"PreferWithNothingInTheFirst", discovery.Prefer, second},
		{"Merge", discovery.Merge, nil},
		{"MergeOfHalves", discovery.Merge, func(id string) int { return int(id[len(id)-1] % 2) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			discoverytest.Run(t, discoverytest.Harness{
				New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
					members := []*discovery.Memory{new(discovery.Memory), new(discovery.Memory)}
					c := composite(t, row.rule, members[0], members[1])
					f := discoverytest.Fixture{Registry: c}
					if row.into == nil {
						f.Registrar, f.Writer = c, discoverytest.Through(t, c, instances...)
						return f
					}
					s := spread{into: row.into}
					for _, m := range members {
						s.writers = append(s.writers, discoverytest.Through(t, m))
					}
					for _, i := range instances {
						if err := s.Put(t.Context(), i); err != nil {
							t.Fatal(err)
						}
					}
					f.Writer = s
					return f
				},
			})
		})
	}
}

// spread is a writer that holds some instances here and some there.
type spread struct {
	writers []discoverytest.Writer
	into    func(id string) int
}

func (s spread) Put(ctx context.Context, i discovery.Instance) error {
	return s.writers[s.into(i.ID)].Put(ctx, i)
}

func (s spread) Remove(ctx context.Context, service, id string) error {
	return s.writers[s.into(id)].Remove(ctx, service, id)
}

// composite returns a composite of members a, b, … that is closed with the
// test.
func composite(t *testing.T, rule discovery.Rule, members ...discovery.Registry) *discovery.Composite {
	t.Helper()
	config := discovery.CompositeConfig{Rule: rule, Logger: slog.New(slog.DiscardHandler)}
	for n, r := range members {
		config.Members = append(config.Members, discovery.Member{Name: string(rune('a' + n)), Registry: r})
	}
	c, err := discovery.NewComposite(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}
