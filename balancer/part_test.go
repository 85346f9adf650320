package balancer_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// town is a court with instances in tiers and zones: one for each word, which is
// the labels of its pool and its zone, and perhaps its weight.
func town(tb testing.TB, b balancer.Balancing, instances string) *court {
	tb.Helper()
	b.OutlierDetection.MaxEjectionPercent = 100
	c := &court{tb, balancing(tb, b), start}
	s := discovery.Snapshot{Service: "orders", Revision: 1, State: discovery.Live}
	for n, word := range strings.Fields(instances) {
		i := fixture.Instances("orders", n+1)[n]
		fmt.Sscanf(strings.ReplaceAll(word, "/", " "), "%s %s %d", new(string), &i.Zone, &i.Weight)
		pool, _, _ := strings.Cut(word, "/")
		i.Meta = map[string]string{"pool": pool}
		i.Region, _, _ = strings.Cut(i.Zone, "-")
		s.Instances = append(s.Instances, &i)
	}
	c.pool.Update(s, c.now)
	return c
}

// fail makes instances fail until they are ejected.
func (c *court) fail(numbers ...int) {
	c.tb.Helper()
	for _, n := range numbers {
		c.calls(n, "fffff")
	}
}

func (c *court) choice() *balancer.Choice { return c.pool.View().Choice(discovery.HTTP) }

// parts writes the parts of the choice as name:called/instances=share%.
func (c *court) parts() string {
	var all []string
	for _, p := range c.choice().Parts() {
		name := p.Distance.String()
		if p.Tier != "" {
			name = p.Tier + "/" + name
		}
		mode := ""
		if p.Mode != balancer.Normal {
			mode = " " + p.Mode.String()
		}
		all = append(all, fmt.Sprintf("%s:%d/%d=%.0f%%%s", name, len(p.Called), p.Instances, 100*p.Share, mode))
	}
	return strings.Join(all, ", ")
}

// got returns the share of many calls that each instance gets.
func (c *court) got(key func(i int) string) (shares []float64) {
	const calls = 20_000
	view := c.pool.View()
	shares = make([]float64, len(view.Nodes))
	bits := rand.New(rand.NewPCG(1, 2))
	for i := range calls {
		r := balancer.Request{Now: c.now, Rand: bits.Uint64()}
		if key != nil {
			r.Key = key(i)
		}
		shares[slices.Index(view.Nodes, view.Picker(discovery.HTTP).Pick(r))] += 1.0 / calls
	}
	return shares
}

var (
	inTiers = []balancer.Tier{{Name: "first", Labels: map[string]string{"pool": "a"}}, {Name: "second", Labels: map[string]string{"pool": "b"}}}
	here    = balancer.Locality{Region: "eu", Zone: "eu-a"}
)

// What each part gets, by who of it is well.
func TestPartsOfAChoice(t *testing.T) {
	tiers := balancer.Balancing{Tiers: inTiers, Policy: balancer.Random{}}
	zones := balancer.Balancing{Locality: here, Policy: balancer.Random{}}
	both := balancer.Balancing{Tiers: inTiers, Locality: here, Policy: balancer.Random{}}
	for _, tt := range []struct {
		name      string
		balancing balancer.Balancing
		instances string
		fail      []int
		want      string
	}{
		{"nothing divides them", balancer.Balancing{}, "a b c", nil, "anywhere:3/3=100%"},
		{"all are of one tier", tiers, "a a a", nil, "first/anywhere:3/3=100%"},
		{"all are of no tier", tiers, "x y z", nil, "anywhere:3/3=100%"},
		{"calls prefer the first tier", tiers, "a b b c", nil, "first/anywhere:1/1=100%, second/anywhere:2/2=0%, anywhere:1/1=0%"},
		{"the first tier is half well", tiers, "a a b c", []int{0}, "first/anywhere:2/2=70%, second/anywhere:1/1=30%, anywhere:1/1=0%"},
		{"it is not well at all", tiers, "a a b c", []int{0, 1}, "first/anywhere:2/2=0%, second/anywhere:1/1=100%, anywhere:1/1=0%"},
		{"a heavy one of it is well", tiers, "a/eu-a/300 a/eu-a/100 b", []int{1}, "first/anywhere:2/2=100%, second/anywhere:1/1=0%"},
		{"a light one of it is well", tiers, "a/eu-a/100 a/eu-a/300 b", []int{1}, "first/anywhere:2/2=35%, second/anywhere:1/1=65%"},
		{"all tiers together are not well enough", tiers, "a a a a b b b b", []int{0, 1, 2, 4, 5, 6}, "first/anywhere:4/4=50% panic, second/anywhere:4/4=50% panic"},
		{"nobody is well", tiers, "a b", []int{0, 1}, "first/anywhere:1/1=100% panic, second/anywhere:1/1=0% panic"},

		{"calls stay in their zone", zones, "x/eu-a x/eu-b x/us-a", nil, "zone:1/1=100%, region:1/1=0%, elsewhere:1/1=0%"},
		{"the zone is half well", zones, "x/eu-a x/eu-a x/eu-b x/us-a", []int{0}, "zone:2/2=70%, region:1/1=30%, elsewhere:1/1=0%"},
		{"the zone is less than half well, and does not panic", zones, "x/eu-a x/eu-a x/eu-a x/eu-b", []int{0, 1}, "zone:3/3=47%, region:1/1=53%"},
		{"there is nobody near", zones, "x/us-a x/us-b", nil, "elsewhere:2/2=100%"},
		{"a small zone", zones, "x/eu-a x/eu-b x/eu-b x/eu-b x/eu-b x/eu-b x/eu-b x/eu-b x/eu-b x/eu-b", nil, "zone:1/1=28%, region:9/9=72%"},

		{"a zone of each tier", both, "a/eu-a a/eu-b b/eu-a b/us-a", nil, "first/zone:1/1=100%, first/region:1/1=0%, second/zone:1/1=0%, second/elsewhere:1/1=0%"},
		{"the zone of the first is not well: there and in the next", both, "a/eu-a a/eu-b b/eu-a", []int{0}, "first/zone:1/1=0%, first/region:1/1=70%, second/zone:1/1=30%"},

		{"a policy with places for keys: tiers, and no zones", balancer.Balancing{Tiers: inTiers, Locality: here, Policy: balancer.RingHash{}}, "a/eu-a a/eu-b b/eu-a", nil, "first/anywhere:2/2=100%, second/anywhere:1/1=0%"},
		{"and nobody of the first is well", balancer.Balancing{Tiers: inTiers, Policy: balancer.RingHash{}}, "a a b b", []int{0, 1}, "first/anywhere:2/2=0%, second/anywhere:2/2=100%"},
		{"a small subset", balancer.Balancing{Subset: balancer.Subset{Size: 2}}, "x x x x x", nil, "anywhere:2/5=100%"},
		{"of each zone", balancer.Balancing{Subset: balancer.Subset{Size: 1}, Locality: here}, "x/eu-a x/eu-a x/eu-b x/eu-b", nil, "zone:1/2=100%, region:1/2=0%"},
		{"none for keys", balancer.Balancing{Subset: balancer.Subset{Size: 2}, Policy: balancer.RingHash{}}, "x x x x x", nil, "anywhere:5/5=100%"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := town(t, tt.balancing, tt.instances)
			c.fail(tt.fail...)
			if got := c.parts(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			// The calls are what the parts say, and nobody else gets any.
			key := func(i int) string { return fmt.Sprint("key", i) }
			if tt.balancing.Policy != (balancer.RingHash{}) {
				key = nil
			}
			got, view := c.got(key), c.pool.View()
			for _, p := range c.choice().Parts() {
				sum := 0.0
				for i, n := range view.Nodes {
					if slices.Contains(p.Eligible, n) {
						sum += got[i]
					}
				}
				if math.Abs(sum-p.Share) > 0.02 {
					t.Errorf("%s/%s gets %.3f of the calls, want %.3f", p.Tier, p.Distance, sum, p.Share)
				}
				if p.Mode != balancer.Panic && p.Well > 0 && len(p.Eligible) != p.Well {
					t.Errorf("%d are eligible, %d well", len(p.Eligible), p.Well)
				}
			}
		})
	}
}

// Keys stay with their tier. Where it loses some of its share, only keys of it
// move.
func TestTiersByKey(t *testing.T) {
	c := town(t, balancer.Balancing{Tiers: inTiers, Policy: balancer.RingHash{}}, "a a b b")
	place := func() (at []string) {
		for i := range 1000 {
			at = append(at, c.choice().Picker.Pick(balancer.Request{Rand: rand.Uint64(), Key: fmt.Sprint("key", i)}).Instance().Meta["pool"])
		}
		return at
	}
	before := place()
	if !slices.Equal(before, place()) {
		t.Error("the same keys go to different tiers")
	}
	c.fail(0)
	after := place()
	moved := 0
	for i := range after {
		if before[i] != after[i] {
			moved++
		}
	}
	if moved < 250 || moved > 350 {
		t.Errorf("%d of 1000 keys left a tier that gets 7 of 10", moved)
	}
	if !slices.Equal(after, place()) {
		t.Error("the same keys go to different tiers")
	}
}

// Over returns a choice again where nothing has changed, and else takes over
// what has not.
func TestOverTakesOver(t *testing.T) {
	c := town(t, balancer.Balancing{Locality: here, Tiers: inTiers, OutlierDetection: balancer.OutlierDetection{}}, "a/eu-a a/eu-a a/eu-b b/eu-a b/eu-b b/us-a")
	view, before := c.pool.View(), c.choice()
	if view.Over(view.Nodes, before) != before {
		t.Error("another choice of the same")
	}
	some := slices.Concat(view.Nodes[:2], view.Nodes[3:])
	narrow := view.Over(some, nil)
	if again := view.Over(slices.Clone(some), narrow); again != narrow {
		t.Error("another choice of the same some")
	}
	if got := len(narrow.Parts()); got != 4 {
		t.Errorf("%d parts", got)
	}
	c.fail(0)
	after := c.choice()
	if after == before || after.Picker == before.Picker {
		t.Error("an outage changed nothing")
	}
	if &after.Called()[0] != &before.Called()[0] {
		t.Error("an outage made another list of who is called")
	}
	if empty := view.Over(nil, nil); empty.Picker.Pick(balancer.Request{}) != nil || len(empty.Parts()) != 1 {
		t.Error("of nobody somebody is chosen")
	}
}

// Picks, refreshes and updates at the same time.
func TestPlacedPicksRace(t *testing.T) {
	pool := balancing(t, balancer.Balancing{Locality: here, Tiers: inTiers, Subset: balancer.Subset{Size: 5}})
	s := fixture.Snapshot("orders", 60)
	for n, i := range s.Instances {
		i.Region, i.Zone, i.Meta = "eu", []string{"eu-a", "eu-b", "eu-c"}[n%3], map[string]string{"pool": []string{"a", "b"}[n%2]}
	}
	pool.Update(s, start)
	done := make(chan struct{})
	for p := range 2 {
		go func() {
			bits := rand.New(rand.NewPCG(uint64(p), 0))
			for range 3000 {
				choice := pool.View().Choice(discovery.HTTP)
				n := choice.Picker.Pick(balancer.Request{Now: start, Rand: bits.Uint64()})
				ticket := n.Start(start)
				ticket.Done(start+time.Millisecond, balancer.Result(1+bits.IntN(2)))
				choice.Parts()
				pool.View().Over(pool.View().Nodes[:30], nil)
			}
			done <- struct{}{}
		}()
	}
	now := start
	for finished := 0; finished < 2; {
		now += time.Second
		pool.Review(now)
		s.Instances = slices.Clone(s.Instances)
		s.Instances[7] = new(*s.Instances[7])
		s.Instances[7].Weight++
		pool.Update(s, now)
		select {
		case <-done:
			finished++
		default:
		}
	}
}

func TestPlacementIsValidated(t *testing.T) {
	tiers := make([]balancer.Tier, balancer.MaxTiers+1)
	for i := range tiers {
		tiers[i].Labels = map[string]string{"zone": "a"}
	}
	for _, tt := range []struct {
		name      string
		balancing balancer.Balancing
		field     string // "": it is good
	}{
		{"nothing", balancer.Balancing{}, ""},
		{"as many tiers as may be", balancer.Balancing{Tiers: tiers[1:]}, ""},
		{"a tier more", balancer.Balancing{Tiers: tiers}, "len(Tiers)"},
		{"a tier of all", balancer.Balancing{Tiers: []balancer.Tier{tiers[0], {Name: "rest"}}}, "Tiers[1].Labels"},
		{"a negative size", balancer.Balancing{Subset: balancer.Subset{Size: -1}}, "Subset.Size"},
		{"a zone that nobody can have", balancer.Balancing{Locality: balancer.Locality{Zone: "eu-1\n"}}, "Locality.Zone"},
		{"a region that nobody can have", balancer.Balancing{Locality: balancer.Locality{Region: strings.Repeat("x", 257)}}, "Locality.Region"},
		{"an unknown preference", balancer.Balancing{Locality: balancer.Locality{Prefer: 7}}, "Locality.Prefer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.balancing.Validate()
			if tt.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if field, ok := errors.AsType[*discovery.FieldError](err); !ok || field.Field != tt.field {
				t.Errorf("got %v, want an error of %s", err, tt.field)
			}
		})
	}
}

// Policies are told what a subset's instances weigh, also where one of them is
// passed over.
func TestPoliciesAreToldTheFactors(t *testing.T) {
	var got balancer.Candidates
	policy := balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
		got = c
		return balancer.Random{}.Picker(c)
	})
	c := town(t, balancer.Balancing{Policy: policy, Subset: balancer.Subset{Size: 4, Seed: "me"}},
		"x/a/10 x/a/100 x/a/1000 x/a/20 x/a/200 x/a/2000 x/a/30 x/a/300")
	factors := map[*balancer.Node]float32{}
	for i, n := range got.Nodes {
		factors[n] = got.Factors[i]
	}
	if len(factors) != 4 {
		t.Fatalf("%d of 4 candidates have factors", len(factors))
	}
	c.fail(slices.Index(c.pool.View().Nodes, got.Nodes[1]))
	if len(got.Nodes) != 3 || len(got.Factors) != 3 || len(got.Listed) != 4 {
		t.Fatalf("%d candidates with %d factors of %d", len(got.Nodes), len(got.Factors), len(got.Listed))
	}
	for i, n := range got.Nodes {
		if got.Factors[i] != factors[n] {
			t.Errorf("%s has the factor %v, and had %v", n.ID(), got.Factors[i], factors[n])
		}
	}
}
