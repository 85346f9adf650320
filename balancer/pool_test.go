package balancer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

func TestAPoolIsColdBeforeItsFirstSnapshot(t *testing.T) {
	pool := newPool(t, nil)
	view := pool.View()
	if view == nil || view.Snapshot.State != discovery.Cold || len(view.Nodes) != 0 || view.Picker(discovery.HTTP) != nil {
		t.Errorf("view is %+v", view)
	}
}

func TestUpdatePublishesTheViewItReturns(t *testing.T) {
	pool := newPool(t, nil)
	s := fixture.Snapshot("orders", 3)
	if view := pool.Update(s, start); view != pool.View() || view.Snapshot.Revision != s.Revision {
		t.Errorf("returned %p, published %p", view, pool.View())
	}
}

func TestNewPoolRefusesABadReach(t *testing.T) {
	_, err := balancer.NewPool(balancer.PoolConfig{Reach: discovery.Reach{UnixDir: "run"}})
	if field, ok := errors.AsType[*discovery.FieldError](err); !ok || field.Field != "Reach.UnixDir" || field.Value != "run" {
		t.Errorf("error is %v", err)
	}
}

// Statistics live with the instance. Trap 28 is the loss of all memory at
// every change of membership.
func TestTrap28StatisticsOutliveChanges(t *testing.T) {
	type change func(s *discovery.Snapshot)
	without := func(i int) change {
		return func(s *discovery.Snapshot) { s.Instances = slices.Delete(slices.Clone(s.Instances), i, i+1) }
	}
	of1 := func(set func(*discovery.Instance)) change {
		return func(s *discovery.Snapshot) {
			s.Instances = slices.Clone(s.Instances)
			changed := *s.Instances[1]
			set(&changed)
			s.Instances[1] = &changed
		}
	}
	tests := []struct {
		name    string
		changes []change // one snapshot each, made from the first
		after   time.Duration
		kept    bool
	}{
		{"nothing changes", []change{func(*discovery.Snapshot) {}}, 0, true},
		{"another instance leaves", []change{without(0)}, 0, true},
		{"another instance comes back", []change{without(0), func(*discovery.Snapshot) {}}, 0, true},
		{"it leaves and comes back", []change{without(1), func(*discovery.Snapshot) {}}, 0, true},
		{"it comes back within five minutes", []change{without(1), func(*discovery.Snapshot) {}}, 4 * time.Minute, true},
		{"everybody leaves and comes back", []change{func(s *discovery.Snapshot) { s.Instances = nil }, func(*discovery.Snapshot) {}}, 0, true},
		{"it comes back much later", []change{without(1), func(*discovery.Snapshot) {}}, 6 * time.Minute, false},
		{"its weight changes", []change{of1(func(i *discovery.Instance) { i.Weight = 7 })}, 0, true},
		{"its zone changes", []change{of1(func(i *discovery.Instance) { i.Zone = "b" })}, 0, true},
		{"it drains", []change{of1(func(i *discovery.Instance) { i.Draining = true })}, 0, true},
		{"its metadata change", []change{of1(func(i *discovery.Instance) { i.Meta = map[string]string{"k": "v"} })}, 0, true},
		{"the list turns stale", []change{func(s *discovery.Snapshot) { s.State = discovery.Stale }}, 0, true},
		{"its address changes", []change{of1(func(i *discovery.Instance) { i.Addr = "10.9.9.9:80" })}, 0, false},
		{"another takes its place", []change{of1(func(i *discovery.Instance) { i.ID = "i00001b" })}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := newPool(t, nil)
			node := pool.Update(fixture.Snapshot("orders", 3), start).Nodes[1]
			took(node, 80*time.Millisecond, start)
			now := start
			for _, change := range tt.changes {
				s := fixture.Snapshot("orders", 3)
				change(&s)
				pool.Update(s, now)
				now += tt.after
			}
			i := slices.IndexFunc(pool.View().Nodes, func(n *balancer.Node) bool { return n.ID() == "i00001" })
			if i < 0 {
				if tt.kept {
					t.Fatal("it is gone")
				}
				return
			}
			got := pool.View().Nodes[i]
			if (got == node) != tt.kept {
				t.Errorf("kept: %t, want %t", got == node, tt.kept)
			}
			if latency := got.Stats(now).Latency; (latency == 80*time.Millisecond) != tt.kept {
				t.Errorf("latency is %v", latency)
			}
			if want := pool.View().Snapshot.Instances[i]; got.Instance().Weight != want.Weight || got.Instance().Zone != want.Zone || got.Instance().Addr != want.Addr {
				t.Errorf("the node says %+v, the snapshot %+v", *got.Instance(), want)
			}
		})
	}
}

// Trap 28 as its victims see it: one instance flaps, another is slow, and the
// slow one must not get a fresh start with every flap.
func TestTrap28ASlowNodeGetsNoFreshStartWhenAnotherFlaps(t *testing.T) {
	pool := newPool(t, nil)
	pool.Update(fixture.Snapshot("orders", 5), start)
	w := newTraffic(pool, 1000)
	w.serve = func(n *balancer.Node, bits *rand.Rand) (time.Duration, balancer.Result) {
		if n.ID() == "i00002" {
			return 100 * time.Millisecond, balancer.Success
		}
		return healthy(n, bits)
	}
	w.run(time.Second)
	got := 0
	for i := range 100 {
		pool.Update(fixture.Snapshot("orders", 4+i%2), w.now)
		got += w.run(100 * time.Millisecond)["i00002"]
	}
	if got > 400 {
		t.Errorf("the slow instance got %d of 10000 calls", got)
	}
}

// Time may be counted from anywhere, also from later.
func TestNodesAreForgottenBeforeTheEpochToo(t *testing.T) {
	pool := newPool(t, nil)
	now := -time.Hour
	node := pool.Update(fixture.Snapshot("orders", 2), now).Nodes[1]
	pool.Update(fixture.Snapshot("orders", 1), now)
	if pool.Update(fixture.Snapshot("orders", 2), now+4*time.Minute).Nodes[1] != node {
		t.Error("forgotten after four minutes")
	}
	pool.Update(fixture.Snapshot("orders", 1), now)
	if pool.Update(fixture.Snapshot("orders", 2), now+6*time.Minute).Nodes[1] == node {
		t.Error("remembered for six minutes")
	}
}

// A call that was on its way when its instance left still ends on its node.
func TestCallsOutliveTheirInstance(t *testing.T) {
	pool := newPool(t, nil)
	node := pool.Update(fixture.Snapshot("orders", 2), start).Nodes[1]
	ticket := node.Start(start)
	pool.Update(fixture.Snapshot("orders", 1), start)
	// It stays known for as long as the call takes.
	later := start + time.Hour
	pool.Update(fixture.Snapshot("orders", 1), later)
	if back := pool.Update(fixture.Snapshot("orders", 2), later).Nodes[1]; back != node || back.Outstanding() != 1 {
		t.Errorf("came back as another node, or without its call")
	}
	ticket.Done(later, balancer.Success)
	if node.Outstanding() != 0 {
		t.Error("the call does not end")
	}
}

// Doors keep what belongs to an instance in slices by number.
func TestIndexesAreDenseStableAndUsedAgain(t *testing.T) {
	pool := newPool(t, nil)
	bits := rand.New(rand.NewPCG(9, 10))
	all := fixture.Snapshot("orders", 40).Instances
	most, now := 0, start
	known := map[string]*balancer.Node{}
	for range 300 {
		now += time.Duration(bits.IntN(120)) * time.Second
		s := discovery.Snapshot{Service: "orders", State: discovery.Live}
		for _, i := range all {
			if bits.IntN(3) == 0 {
				s.Instances = append(s.Instances, i)
			}
		}
		view := pool.Update(s, now)
		used := map[int]string{}
		for _, n := range view.Nodes {
			if other, taken := used[n.Index()]; taken {
				t.Fatalf("%s and %s both have number %d", n.ID(), other, n.Index())
			}
			used[n.Index()] = n.ID()
			most = max(most, n.Index())
			if old := known[n.ID()]; old == n && old.Index() != n.Index() {
				t.Fatalf("%s had number %d and now has %d", n.ID(), old.Index(), n.Index())
			}
			known[n.ID()] = n
		}
	}
	if most >= len(all) {
		t.Errorf("the highest number is %d among at most %d instances", most, len(all))
	}

	pool.Update(discovery.Snapshot{State: discovery.Live}, now)
	view := pool.Update(fixture.Snapshot("others", 40), now+time.Hour)
	for _, n := range view.Nodes {
		if n.Index() >= 40 {
			t.Errorf("number %d is not used again", n.Index())
		}
	}
}

func TestANewAddressTakesOverTheNumber(t *testing.T) {
	pool := newPool(t, nil)
	old := pool.Update(fixture.Snapshot("orders", 3), start).Nodes[1]
	s := fixture.Snapshot("orders", 3)
	s.Instances[1].Addr = "10.9.9.9:80"
	moved := pool.Update(s, start).Nodes[1]
	if moved == old || moved.Index() != old.Index() {
		t.Errorf("number %d became %d", old.Index(), moved.Index())
	}
}

// Fault row 50: picks go on while views are swapped. Every pick is of the view
// it was made from, and every view is whole.
func TestPicksWhileViewsAreSwapped(t *testing.T) {
	const versions = 300
	pool := newPool(t, nil)
	snapshot := func(revision int) discovery.Snapshot {
		s := fixture.Snapshot("orders", 20)
		s.Revision = int64(revision)
		// Five of twenty are there, others with each revision.
		var some []*discovery.Instance
		for i := range s.Instances {
			if (i+revision)%4 == 0 {
				s.Instances[i].Version = fmt.Sprint(revision)
				some = append(some, s.Instances[i])
			}
		}
		s.Instances = some
		return s
	}
	pool.Update(snapshot(0), start)
	var done atomic.Bool
	var picks atomic.Int64
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			last := int64(0)
			for n := 0; !done.Load() || n < 1000; n++ {
				view := pool.View()
				if view.Snapshot.Revision < last {
					t.Errorf("revision %d after %d", view.Snapshot.Revision, last)
				}
				last = view.Snapshot.Revision
				now := balancer.Now()
				node := view.Picker(discovery.HTTP).Pick(balancer.Request{Now: now, Rand: rand.Uint64()})
				var index int
				if _, err := fmt.Sscanf(node.ID(), "i%05d", &index); err != nil || (index+int(last))%4 != 0 {
					t.Errorf("%s was chosen from the view of revision %d", node.ID(), last)
				}
				if len(view.Nodes) != 5 || len(view.Snapshot.Instances) != 5 {
					t.Errorf("revision %d has %d nodes", last, len(view.Nodes))
				}
				node.Start(now).Done(balancer.Now(), balancer.Success)
				node.Instance()
				picks.Add(1)
			}
		})
	}
	for v := range versions {
		pool.Update(snapshot(v), start+time.Duration(v)*time.Second)
	}
	done.Store(true)
	callers.Wait()
	if picks.Load() < 1000 {
		t.Errorf("only %d picks were made", picks.Load())
	}
	for _, n := range pool.View().Nodes {
		if n.Outstanding() != 0 {
			t.Errorf("%s has %d calls outstanding", n.ID(), n.Outstanding())
		}
	}
}
