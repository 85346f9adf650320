package balancer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// crowd makes nodes n000, n001, …
func crowd(n int) []*Node {
	nodes := make([]*Node, n)
	for i := range nodes {
		nodes[i] = NewNode(discovery.Instance{ID: fmt.Sprintf("n%03d", i)}, i)
	}
	return nodes
}

// After a freeze everybody is due. All are probed, once, and keep the places
// they had, so that the next rounds are spread again.
func TestPlacesOutliveAFreeze(t *testing.T) {
	r := newRounds(HealthCheck{Jitter: 0.01}.withDefaults(), 1)
	r.follow(crowd(100), 0)
	thaw := 10 * time.Minute
	for range 100 {
		turn, late := r.take(thaw)
		if turn == nil || !late {
			t.Fatalf("took %+v, late %v", turn, late)
		}
		if !r.done(turn, thaw) {
			t.Fatal("a node was forgotten")
		}
	}
	if turn, _ := r.take(thaw); turn != nil {
		t.Error("a node has two turns at once")
	}
	var seconds [10]int
	for _, turn := range r.agenda {
		seconds[(turn.due-thaw)/time.Second]++
	}
	if slices.Max(seconds[:]) > 20 || slices.Min(seconds[:]) == 0 {
		t.Errorf("the next round has %v probes by the second", seconds)
	}
}

// A list that is not as it should be makes nobody panic, and nobody has two
// turns, or one without being listed.
func TestRoundsOfOddLists(t *testing.T) {
	nodes := crowd(3)
	a, b, c := nodes[0], nodes[1], nodes[2]
	for _, lists := range [][][]*Node{
		{nil, {}, nil},
		{{a, a, b}, {a, b}, {a}},
		{{a, a}, {}},
		{{c, b, a}, {b, a}, {a, c}},
		{{NewNode(discovery.Instance{ID: "x"}, 0), NewNode(discovery.Instance{ID: "x"}, 1)}, {}},
	} {
		r := newRounds(HealthCheck{}.withDefaults(), 1)
		for round, list := range lists {
			now := time.Duration(round) * time.Hour
			r.follow(list, now)
			if len(r.agenda) != len(r.turns) {
				t.Errorf("%d nodes have %d turns", len(r.turns), len(r.agenda))
			}
			var probed []*turn
			for turn, _ := r.take(now + time.Minute); turn != nil; turn, _ = r.take(now + time.Minute) {
				probed = append(probed, turn)
			}
			listed := map[*Node]bool{}
			for _, turn := range probed {
				if !r.done(turn, now+time.Minute) {
					continue
				}
				if listed[turn.node] || !slices.Contains(list, turn.node) {
					t.Errorf("%s is probed twice, or not listed", turn.node.ID())
				}
				listed[turn.node] = true
			}
		}
	}
}

// FuzzRounds holds rounds against a list that is searched: whoever was due
// first is taken, at most once at a time, for as long as it is there.
func FuzzRounds(f *testing.F) {
	f.Add([]byte{0xff, 10, 20, 0x0f, 30, 40, 1, 200, 0})
	f.Add([]byte("any text will do, since each byte means something"))
	f.Fuzz(func(t *testing.T, script []byte) {
		all := crowd(8)
		h := HealthCheck{Interval: time.Second}.withDefaults()
		r := newRounds(h, 7)
		due := map[*Node]time.Duration{} // of those who wait
		var running []*turn
		var now time.Duration
		for i, b := range script {
			switch b % 3 {
			case 0: // another list
				var list []*Node
				for k, n := range all {
					if i+1 < len(script) && script[i+1]>>k&1 != 0 {
						list = append(list, n)
					}
				}
				r.follow(list, now)
				for n := range due {
					if !slices.Contains(list, n) {
						delete(due, n)
					}
				}
				for _, turn := range r.agenda {
					if _, known := due[turn.node]; !known {
						if turn.due < now || turn.due > now+h.Interval {
							t.Fatalf("at %v, the first turn is due at %v", now, turn.due)
						}
						due[turn.node] = turn.due
					}
				}
			case 1: // time passes, and somebody may be due
				now += time.Duration(b) * time.Millisecond
				turn, late := r.take(now)
				var first *Node
				for n, at := range due {
					if at <= now && (first == nil || at < due[first]) {
						first = n
					}
				}
				if first == nil != (turn == nil) || turn != nil && turn.node != first {
					t.Fatalf("at %v, took %+v of %v", now, turn, due)
				}
				if turn != nil {
					if late != (now-due[first] >= h.Interval) {
						t.Fatalf("late is %v at %v, due was %v", late, now, due[first])
					}
					delete(due, first)
					running = append(running, turn)
				}
			case 2: // a probe ends
				if len(running) == 0 {
					continue
				}
				turn := running[0]
				running = running[1:]
				before := turn.due
				if there := r.done(turn, now); there {
					if turn.due <= now || turn.due <= before {
						t.Fatalf("at %v, the next turn after %v is due at %v", now, before, turn.due)
					}
					due[turn.node] = turn.due
				}
			}
			if len(r.agenda) != len(due) || len(r.turns) != len(r.nodes) {
				t.Fatalf("%d in the agenda, %d wait; %d turns for %d nodes", len(r.agenda), len(due), len(r.turns), len(r.nodes))
			}
		}
	})
}
