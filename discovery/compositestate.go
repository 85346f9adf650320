package discovery

import (
	"slices"
	"strings"
	"time"
)

// CompositeState is what a [Composite] knows of itself and of its members. It
// is for people and metrics; its JSON may grow.
type CompositeState struct {
	Rule     Rule                    `json:"rule"`
	Members  []CompositeMemberState  `json:"members"`
	Services []CompositeServiceState `json:"services"` // those watched, by name
}

// CompositeMemberState is one registry.
type CompositeMemberState struct {
	Name string `json:"name"`
	// Registers says whether instances are registered here.
	Registers bool `json:"registers"`
	// Registry is what the registry says of itself, if it says anything.
	Registry any `json:"registry,omitempty"`
}

// CompositeServiceState is one watched service.
type CompositeServiceState struct {
	Service   string    `json:"service"`
	State     State     `json:"state"`
	Revision  int64     `json:"revision"`
	AsOf      time.Time `json:"asOf,omitzero"`
	Instances int       `json:"instances"`
	// Used names the member in use under rule Prefer; empty: none.
	Used    string               `json:"used,omitempty"`
	Error   string               `json:"error,omitempty"`
	Members []CompositeListState `json:"members"` // in their order
}

// CompositeListState is the list of one member.
type CompositeListState struct {
	Name      string    `json:"name"`
	State     State     `json:"state"`
	AsOf      time.Time `json:"asOf,omitzero"`
	Instances int       `json:"instances"`
	Refused   int       `json:"refused,omitempty"`
	Error     string    `json:"error,omitempty"`
}

// State returns what is known right now, a [CompositeState]. Of several watches
// of a service it shows the first.
func (c *Composite) State() any {
	s := CompositeState{Rule: c.rule, Services: []CompositeServiceState{}}
	for _, m := range c.members {
		state := CompositeMemberState{Name: m.name, Registers: m.registrar != nil}
		if r, ok := m.registry.(stater); ok {
			state.Registry = r.State()
		}
		s.Members = append(s.Members, state)
	}
	c.mu.Lock()
	watches := slices.Clone(c.watches)
	c.mu.Unlock()
	slices.SortStableFunc(watches, func(a, b *compositeWatch) int { return strings.Compare(a.service, b.service) })
	for _, w := range slices.CompactFunc(watches, func(a, b *compositeWatch) bool { return a.service == b.service }) {
		s.Services = append(s.Services, w.state())
	}
	return s
}

func (w *compositeWatch) state() CompositeServiceState {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.latest.snapshot
	s := CompositeServiceState{
		Service: w.service, State: told.State, Revision: told.Revision, AsOf: told.AsOf, Instances: len(told.Instances),
		Error: text(w.latest.err),
	}
	if w.composite.rule == Prefer && w.latest.used >= 0 {
		s.Used = w.said[w.latest.used].name
	}
	for _, m := range w.said {
		s.Members = append(s.Members, CompositeListState{
			Name: m.name, State: m.snapshot.State, AsOf: m.snapshot.AsOf, Instances: len(m.snapshot.Instances),
			Refused: m.snapshot.Refused, Error: text(m.err),
		})
	}
	return s
}
