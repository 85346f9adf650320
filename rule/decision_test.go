package rule_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

func itself(i *discovery.Instance) *discovery.Instance { return i }

func TestShares(t *testing.T) {
	table := compile(t, policy(rule.Route{Name: "r", HashOn: "header:X-User", Route: []rule.Destination{{Subset: "stable", Weight: 95}, {Subset: "canary", Weight: 5}}}))
	instances := []*discovery.Instance{{ID: "a", Version: "v1"}, {ID: "b", Version: "v2"}}
	const calls = 100_000
	r := rand.New(rand.NewPCG(5, 6))
	for _, sticky := range []bool{false, true} {
		canary := 0
		for n := range calls {
			c := &call{}
			if sticky {
				c.header = map[string]string{"x-user": fmt.Sprint("user-", n)}
			}
			d := table.Decide(c, r.Uint64())
			if sticky && table.Decide(c, r.Uint64()) != d {
				t.Fatalf("user %d is sent to two subsets", n)
			}
			if rule.Narrow(table, d.Narrowing, instances, itself)[0].ID == "b" {
				canary++
			}
		}
		if share := 100 * float64(canary) / calls; share < 4.75 || share > 5.25 {
			t.Errorf("sticky %t: %.2f %% go to the canary, want 5 ± 0.25", sticky, share)
		}
	}
}
