package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// weighing returns nodes a, b, c, … of the given weights.
func weighing(weights ...int) (nodes []*balancer.Node) {
	for i, w := range weights {
		nodes = append(nodes, balancer.NewNode(discovery.Instance{ID: "abcdef"[i : i+1], Weight: w}, i))
	}
	return nodes
}

// turns are whom a picker chooses, one call after the other.
func turns(picker balancer.Picker, calls int) string {
	var ids strings.Builder
	for range calls {
		ids.WriteString(picker.Pick(balancer.Request{Rand: rand.Uint64()}).ID())
	}
	return ids.String()
}

// Where turns begin is drawn, so the example looks for a round among more turns.
func ExampleRoundRobin() {
	picker := balancer.RoundRobin{}.Picker(balancer.Among(weighing(100, 100, 100)...))
	fmt.Println(strings.Contains(turns(picker, 6), "abc"))
	// Output: true
}

// The heavy one has five turns of seven, and not all at once.
func ExampleSmoothWeighted() {
	picker := balancer.SmoothWeighted{}.Picker(balancer.Among(weighing(500, 100, 100)...))
	fmt.Println(strings.Contains(turns(picker, 14), "aabacaa"))
	// Output: true
}

// The schedule is made again about once a second, by Refresh; turns are as
// many as weights say.
func ExampleWeightedRoundRobin() {
	nodes := weighing(100, 300)
	picker := balancer.WeightedRoundRobin{}.Picker(balancer.Among(nodes...))
	picker.(balancer.Refresher).Refresh(balancer.Now())
	b := strings.Count(turns(picker, 4000), "b")
	fmt.Println(b >= 2999 && b <= 3001)
	// Output: true
}

// Every call is drawn by itself, so shares are only about what weights say.
func ExampleRandom() {
	picker := balancer.Random{}.Picker(balancer.Among(weighing(100, 300)...))
	b := strings.Count(turns(picker, 4000), "b")
	fmt.Println(b > 2800 && b < 3200)
	// Output: true
}

// Two draws may both miss the idle node; a full scan never does.
func ExampleLeastRequest_fullScan() {
	nodes := weighing(100, 100, 100, 100)
	for _, busy := range nodes[1:] {
		busy.Start(balancer.Now())
	}
	picker := balancer.LeastRequest{FullScan: true}.Picker(balancer.Among(nodes...))
	fmt.Println(turns(picker, 5))
	// Output: aaaaa
}

// Of the two that are drawn here, which are all, the one with less to do is
// chosen.
func ExampleLeastRequest() {
	nodes := weighing(100, 100)
	nodes[0].Start(balancer.Now())
	picker := balancer.LeastRequest{}.Picker(balancer.Among(nodes...))
	fmt.Println(turns(picker, 5))
	// Output: bbbbb
}
