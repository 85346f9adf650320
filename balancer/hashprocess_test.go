package balancer_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// mappings are who has which key, by policy, of 25 instances of different
// weights that came in random order and of which others left again.
func mappings(tb testing.TB, policies map[string]balancer.Policy, keys int) map[string][]string {
	all := fixture.Instances("orders", 30)
	for i := range all {
		all[i].Weight = []int{100, 100, 50, 0, 300}[i%5]
	}
	got := map[string][]string{}
	for name, policy := range policies {
		pool := newPool(tb, policy)
		listed := map[string]discovery.Instance{}
		update := func() {
			var list []discovery.Instance
			for _, i := range listed { // in the order of a map
				list = append(list, i)
			}
			s := discovery.Snapshot{Service: "orders", State: discovery.Live, Instances: discovery.List(list...)}
			slices.SortFunc(s.Instances, func(a, b *discovery.Instance) int { return strings.Compare(a.ID, b.ID) })
			pool.Update(s, start)
		}
		for _, n := range rand.Perm(len(all)) {
			listed[all[n].ID] = all[n]
			update()
		}
		for _, n := range rand.Perm(5) {
			delete(listed, all[5*n+2].ID)
			update()
		}
		picker := pool.View().Picker(discovery.HTTP)
		for n := range keys {
			got[name] = append(got[name], picker.Pick(balancer.Request{Now: start, Rand: rand.Uint64(), Key: fmt.Sprintf("customer-%d", n)}).ID())
		}
	}
	return got
}

func hashPoliciesByName() map[string]balancer.Policy {
	byName := map[string]balancer.Policy{"ring-hash-small": balancer.RingHash{MaxSize: 1000}, "maglev-small": balancer.Maglev{TableSize: 503}}
	for _, p := range hashPolicies {
		byName[p.name] = p.policy
	}
	return byName
}

// The mapping is a promise to every other process, of any version: nobody may
// change it who does not mean to move the keys of all users.
func TestMappingIsGolden(t *testing.T) {
	if underRace {
		t.Skip("one goroutine maps")
	}
	const file = "testdata/hash.golden"
	got := mappings(t, hashPoliciesByName(), 200)
	if *rewrite {
		var b bytes.Buffer
		for _, name := range slices.Sorted(maps.Keys(got)) {
			for n, id := range got[name] {
				fmt.Fprintf(&b, "%s customer-%d %s\n", name, n, id)
			}
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		var name, id string
		var n int
		if _, err := fmt.Sscanf(line, "%s customer-%d %s", &name, &n, &id); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if lines++; got[name][n] != id {
			t.Errorf("%s gives customer-%d to %s, it was %s", name, n, got[name][n], id)
		}
	}
	if lines != 200*len(got) {
		t.Errorf("%s has %d lines for %d mappings of 200 keys", file, lines, len(got))
	}
}

// Three processes, in each of which the instances come in another order.
func TestSameMappingInEveryProcess(t *testing.T) {
	const child = "FAIRLEAD_BALANCER_PRINT_MAPPINGS"
	naive := "a hash with a seed of the process"
	if underRace {
		t.Skip("three processes that have nothing to do with each other")
	}
	if os.Getenv(child) != "" {
		policies := hashPoliciesByName()
		policies[naive] = balancer.PolicyFunc(perProcess)
		for name, ids := range mappings(t, policies, 20_000) {
			fmt.Printf("mapping %x %s\n", xxhash.Sum64String(strings.Join(ids, " ")), name)
		}
		return
	}
	const processes = 3
	found := map[string][]string{} // by policy
	for range processes {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSameMappingInEveryProcess$")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
			if sum, name, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "mapping "), " "); ok && strings.HasPrefix(lines.Text(), "mapping ") {
				found[name] = append(found[name], sum)
			}
		}
	}
	if want := len(hashPoliciesByName()) + 1; len(found) != want {
		t.Fatalf("%d mappings were printed, want %d", len(found), want)
	}
	for name, sums := range found {
		same := len(slices.Compact(slices.Sorted(slices.Values(sums)))) == 1
		if len(sums) != processes || same != (name != naive) {
			t.Errorf("%s: the mappings of %d processes are %v", name, processes, sums)
		}
	}
}

// perProcess is how it is done wrong.
func perProcess(c balancer.Candidates) balancer.Picker {
	return pickFunc(func(r balancer.Request) *balancer.Node {
		return c.Nodes[maphash.String(seed, r.Key)%uint64(len(c.Nodes))]
	})
}

var seed = maphash.MakeSeed()

type pickFunc func(balancer.Request) *balancer.Node

func (f pickFunc) Pick(r balancer.Request) *balancer.Node { return f(r) }
