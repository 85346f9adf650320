package fairleadtest_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

func TestPicks(t *testing.T) {
	tests := []struct {
		name string
		to   []string
		want string
	}{
		{"zero: in turn", nil, "a b c a b c a"},
		{"one, for ever", []string{"b"}, "b b b b b b b"},
		{"in order, then the last", []string{"c", "a", "b"}, "c a b b b b b"},
		{"the same more than once", []string{"c", "c", "a"}, "c c a a a a a"},
		{"who is not there is left out", []string{"x", "c", "y", "b"}, "c b b b b b b"},
		{"nobody is there: in turn", []string{"x"}, "a b c a b c a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var picks fairleadtest.Picks
				picks.To(tt.to...)
				fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b", "c")...)
				m := newMesh(t, fleet, transport.WithPolicy(&picks))
				for range 7 {
					if err := call(t.Context(), m, fleet); err != nil {
						t.Fatal(err)
					}
				}
				if got := strings.Join(fleet.Called(), " "); got != tt.want {
					t.Errorf("called %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// The order survives changes of the list: it is the test's, not the picker's.
func TestPicksSurviveChangesOfTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var picks fairleadtest.Picks
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
		m := newMesh(t, fleet, transport.WithPolicy(&picks))
		picks.To("b", "a", "b", "c")
		call(t.Context(), m, fleet)
		fleet.Add(fairleadtest.Instances("orders", "c")...)
		synctest.Wait()
		for range 3 {
			call(t.Context(), m, fleet)
		}
		if got := strings.Join(fleet.Called(), " "); got != "b a b c" {
			t.Errorf("called %s", got)
		}
	})
}

func TestPicksOfNobody(t *testing.T) {
	if got := new(fairleadtest.Picks).Picker(balancer.Among()).Pick(balancer.Request{}); got != nil {
		t.Errorf("got %v", got)
	}
}
