package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// FuzzProtection tells a pool and the double that keeps to the rules the same
// tale, and wants them to agree after every step. Each byte is one step.
func FuzzProtection(f *testing.F) {
	if underRace {
		f.Skip("one goroutine plays all of it")
	}
	bits := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		steps := make([]byte, 150)
		for i := range steps {
			steps[i] = byte(bits.Uint32())
		}
		f.Add(steps)
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		p, d := protected(t, balancer.Protection{}), newDouble(balancer.Protection{}, 0)
		w := begin(both{p, d}, "abcdefghijkl")
		var told []string
		for _, step := range steps {
			told = append(told, w.step(int(step)))
			if p.view() != d.view() || p.held() != d.held() {
				t.Fatalf("%s:\nthe pool has %q, %d held\nthe model    %q, %d held", strings.Join(told, ", "), p.view(), p.held(), d.view(), d.held())
			}
			checkNumbers(t, p.View())
		}
	})
}

// step is one of 256 things that may happen.
func (w *tale) step(what int) string {
	id, arg := string(rune('a'+what%12)), what/12
	there := w.listed[id] != nil
	switch {
	case arg < 5 && there:
		w.vanish(id)
		return "-" + id
	case arg < 5:
		w.come(id)
		return "+" + id
	case arg < 7 && there:
		w.drain(id)
		return "drain " + id
	case arg < 9:
		old := strings.ToUpper(id)
		if w.listed[old] != nil {
			w.vanish(old)
			return "-" + old
		}
		w.comeAt(old, id)
		return "+" + old + " at " + id
	case arg < 13:
		results := []balancer.Result{succeeds, fails, refuses, says}
		w.call(id, results[arg-9])
		return fmt.Sprint(id, " ends with ", results[arg-9])
	case arg == 13:
		w.deaf()
		return "stale"
	case arg < 16:
		w.hears()
		return "live"
	case arg == 16:
		for range 6 { // of the first
			for other := range w.listed {
				if other <= id {
					delete(w.listed, other)
				}
			}
		}
		w.tell()
		return "- up to " + id
	default:
		d := []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 4 * time.Minute, 10 * time.Minute}[arg-17]
		w.wait(d)
		return d.String()
	}
}

// both tells two subjects the same.
type both struct {
	pooled
	double *double
}

func (b both) update(s discovery.Snapshot, now time.Duration) {
	b.pooled.update(s, now)
	b.double.update(s, now)
}

func (b both) review(now time.Duration) {
	b.pooled.review(now)
	b.double.review(now)
}

func (b both) call(id string, result balancer.Result, now time.Duration) {
	b.pooled.call(id, result, now)
	b.double.call(id, result, now)
}

// checkNumbers wants nodes sorted by ID, with numbers of their own that are
// dense, and with what was preserved adding up.
func checkNumbers(t *testing.T, view *balancer.View) {
	t.Helper()
	numbers := map[int]bool{}
	for n, node := range view.Nodes {
		if numbers[node.Index()] || node.Index() >= 24 {
			t.Fatalf("%s has number %d", node.ID(), node.Index())
		}
		numbers[node.Index()] = true
		if n > 0 && view.Nodes[n-1].ID() >= node.ID() {
			t.Fatal("the nodes are not sorted by ID")
		}
	}
	p := view.Preserved
	if int64(view.Held) != p.Held-p.Returned-p.Replaced-p.Gone-p.Expired {
		t.Fatalf("%d held, of %+v", view.Held, p)
	}
	if view.Held == 0 != (view.HeldUntil == 0) {
		t.Fatalf("%d are held until %v", view.Held, view.HeldUntil)
	}
}

// Trap 3: a registry that was paused lets all leases expire, healthy as the
// instances are, and tells so in thousands of single events. Nobody is lost;
// those that left before it was clear come back, and all of them are there
// until they have registered again.
func TestTrap3ThousandsOfSingleExpiries(t *testing.T) {
	const most = expiries
	p := protected(t, balancer.Protection{})
	s := fixture.Snapshot("orders", most)
	whole := s.Instances
	first := p.Update(s, start).Nodes
	now, lost := start, 0
	// etcd revokes a thousand leases a second, in no order.
	bits := rand.New(rand.NewPCG(13, 14))
	left := bits.Perm(most)
	for _, i := range left {
		now += time.Millisecond
		without := make([]*discovery.Instance, 0, len(s.Instances)-1)
		for _, instance := range s.Instances {
			if instance != whole[i] {
				without = append(without, instance)
			}
		}
		s.Instances = without
		view := p.Update(s, now)
		lost = max(lost, most-len(view.Nodes))
		if len(view.Eligible(discovery.HTTP)) != len(view.Nodes) {
			t.Fatal("a suspect may not be chosen")
		}
	}
	view := p.View()
	if len(view.Nodes) != most || view.Held != most || len(view.Snapshot.Instances) != 0 {
		t.Errorf("%d nodes, %d held of %d", len(view.Nodes), view.Held, most)
	}
	if lost != most*3/10 {
		t.Errorf("%d instances were out of the view before it was clear, want 30 %%", lost)
	}
	// They register again, most in time.
	const late = 100
	for n := late; n <= most; n += late {
		now += 100 * time.Millisecond
		s.Instances = nil
		for _, i := range left[:min(n, most-late)] {
			s.Instances = append(s.Instances, whole[i])
		}
		discovery.Sort(s.Instances)
		p.Update(s, now)
	}
	view = p.View()
	for n, node := range view.Nodes {
		if node != first[n] {
			t.Fatalf("%s is another node", node.ID())
		}
	}
	want := balancer.Preserved{Held: most, Returned: most - late}
	if view.Held != late || view.Preserved != want {
		t.Errorf("%d held, %+v, want %d and %+v", view.Held, view.Preserved, late, want)
	}
	if view := p.Review(now + 10*time.Minute); len(view.Nodes) != most-late || view.Held != 0 {
		t.Errorf("after the hold: %d nodes, %d held", len(view.Nodes), view.Held)
	}
}
