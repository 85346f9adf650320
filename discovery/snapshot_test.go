package discovery_test

import (
	"encoding/json"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestStateReadsAsText(t *testing.T) {
	for state, want := range map[discovery.State]string{
		discovery.Cold: "cold", discovery.Live: "live", discovery.Stale: "stale", 3: "unknown", 255: "unknown",
	} {
		if got := state.String(); got != want {
			t.Errorf("State(%d).String() = %q, want %q", uint8(state), got, want)
		}
		if got, err := json.Marshal(state); err != nil || string(got) != `"`+want+`"` {
			t.Errorf("JSON of State(%d) is %s, error %v; want %q", uint8(state), got, err, want)
		}
	}
}

func TestSortIsByID(t *testing.T) {
	instances := []*discovery.Instance{{ID: "b"}, {ID: "a10"}, {ID: "B"}, {ID: "a"}, {ID: "a2"}}
	discovery.Sort(instances)
	for n, want := range []string{"B", "a", "a10", "a2", "b"} {
		if got := instances[n].ID; got != want {
			t.Errorf("place %d has %q, want %q", n, got, want)
		}
	}
}
