package balancer

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// What was learned of a tier stays with its instances when the tiers change, and
// goes to nobody else.
func TestWhatWasLearnedStaysWithTheTier(t *testing.T) {
	tier := func(name string) Tier { return Tier{name, map[string]string{"pool": name}} }
	a, b, c := tier("a"), tier("b"), tier("c")
	renamed := Tier{"another name", a.Labels}
	for _, tt := range []struct {
		name          string
		before, after []Tier
		tier          int // before, in which something is learned
		want          int // after, in which it is known; -1: nowhere
	}{
		{"the same", []Tier{a, b}, []Tier{a, b}, 0, 0},
		{"in another order", []Tier{a, b}, []Tier{b, a}, 0, 1},
		{"by another name", []Tier{a, b}, []Tier{renamed, b}, 0, 0},
		{"behind a new one", []Tier{a}, []Tier{c, a}, 0, 1},
		{"gone", []Tier{a, b}, []Tier{b}, 0, -1},
		{"those of none", []Tier{a}, []Tier{a, b}, 1, 2},
		{"all", nil, []Tier{a}, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			balancing := Balancing{Tiers: tt.before, Locality: Locality{Zone: "near"}}
			pool, err := NewPool(PoolConfig{Balancing: balancing})
			if err != nil {
				t.Fatal(err)
			}
			s := fixture.Snapshot("orders", 24)
			for n, i := range s.Instances {
				i.Zone, i.Meta = []string{"near", "far"}[n%2], map[string]string{"pool": []string{"a", "b", "c", "d"}[n/2%4]}
			}
			now := time.Hour
			pool.Update(s, now)
			tiers := func() []spreadTier { return pool.View().Choice(discovery.HTTP).inner.(*spread).tiers }
			for _, of := range tiers() {
				if of.tier == tt.tier {
					of.levels[0].passes, of.levels[0].past = 0.5, 7
				}
			}
			balancing.Tiers, balancing.Policy = tt.after, LeastRequest{}
			if _, err := pool.Balance(balancing, now); err != nil {
				t.Fatal(err)
			}
			for _, of := range tiers() {
				if l := of.levels[0]; (l.past == 7) != (of.tier == tt.want) {
					t.Errorf("tier %d passes %.2f on, its past is %v; what was learned belongs to %d", of.tier, l.passes, l.past, tt.want)
				}
			}
		})
	}
}
