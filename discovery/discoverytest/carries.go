package discoverytest

import (
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// carriesWhatItMust keeps a harness from explaining away what no registry can
// do without.
func (s *suite) carriesWhatItMust(t *testing.T) {
	taken := map[string]string{} // ID to address
	for _, i := range []discovery.Instance{instance("orders", 1), instance("orders", 2), whole()} {
		c := s.Carries(i)
		if c.Service != i.Service || c.Addr != i.Addr {
			t.Errorf("of %s comes %s; want its service and its address", text(i), text(c))
		}
		if err := c.Validate(); err != nil {
			t.Errorf("of %s comes %s: %v", text(i), text(c), err)
		}
		if again := s.Carries(c); text(again) != text(c) {
			t.Errorf("of %s comes %s; want all that came the first time", text(c), text(again))
		}
		if other, ok := taken[c.ID]; ok {
			t.Errorf("the instances at %s and at %s both come with the ID %s", other, i.Addr, c.ID)
		}
		taken[c.ID] = i.Addr
	}
}

// carried skips the test where the registry does not carry what makes one
// instance out of the other.
func (s *suite) carried(t *testing.T, before, after discovery.Instance) {
	t.Helper()
	if text(s.Carries(before)) == text(s.Carries(after)) {
		t.Skip("the registry does not carry what changes here")
	}
}
