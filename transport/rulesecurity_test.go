package transport_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// listed is a registry with one list, and rules.
type listed struct {
	discovery.Snapshot
	*fairleadtest.Rulebook
}

func (l listed) Watch(ctx context.Context, _ string) iter.Seq2[discovery.Snapshot, error] {
	return fixed(l.Snapshot).Watch(ctx, "")
}

// Whoever may write rules still sends no call where code does not let it go:
// neither a route nor its fallback, nor a copy, nor a lane, nor a pin.
func TestARuleCanOnlyTighten(t *testing.T) {
	evil, strictEvil, copies := to("evil"), to("evil"), rule.Route{Name: "copies", Mirror: &rule.Mirror{Subset: "evil", Percent: 100_00}}
	strictEvil.Strict = true
	fallback := to("nobody")
	fallback.Fallback = "evil"
	for _, c := range []struct {
		name   string
		route  rule.Route
		lane   *rule.Lane
		pin    string
		failed bool
	}{
		{"Route", evil, nil, "", false},
		{"StrictRoute", strictEvil, nil, "", true},
		{"Fallback", fallback, nil, "", false},
		{"Mirror", copies, nil, "", false},
		{"Lane", rule.Route{Name: "all"}, &rule.Lane{Label: "lane", Key: "key", Force: true}, "", true},
		{"Pin", rule.Route{Name: "all"}, nil, "evil", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := hostile()
			for _, i := range s.Instances {
				if i.ID == "evil" {
					i.Meta = map[string]string{"lane": "evil"}
				}
			}
			l := listed{s, new(fairleadtest.Rulebook)}
			p := ordersPolicy(c.route)
			p.Spec.Lane = c.lane
			p.Spec.Subsets = []rule.Subset{{Name: "evil", Labels: map[string]string{"id": "evil"}}, {Name: "nobody", Labels: map[string]string{"id": "nobody"}}}
			l.Put(p)
			m := knowing(t, newMesh(t, l, transport.WithPinning()))
			obeys(t, m)
			called := make(chan string, 20)
			door := acquiring(m, func(lease transport.Lease) transport.Outcome {
				called <- lease.Node().ID()
				return fairleadtest.OK().Outcome
			})
			call := get()
			call.Key = "evil"
			call.Apply(transport.WithCall(t.Context(), transport.Instance(c.pin)))
			err := m.Do(t.Context(), call, copying{door, door})
			if (err != nil) != c.failed || err != nil && !errors.Is(err, balancer.ErrNoInstances) {
				t.Errorf("the call failed with %v", err)
			}
			m.Close(t.Context()) // waits for copies
			close(called)
			for id := range called {
				if id != "good" {
					t.Errorf("%s was called", id)
				}
			}
		})
	}
}
