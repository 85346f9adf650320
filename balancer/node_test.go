package balancer_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// FuzzNode starts and ends calls in any order and compares the node with a
// list of them. Every byte is one step: what to do and to which call.
func FuzzNode(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 2, 2})
	f.Add([]byte{0, 1, 0, 1, 34, 18, 0, 2, 3, 3})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 18, 34, 50, 66, 82, 98, 0, 0, 0, 2})
	f.Fuzz(func(t *testing.T, steps []byte) {
		model := model{node: newNodes(t, 1)[0]}
		now := start
		took(model.node, time.Millisecond, now)
		for _, step := range steps {
			now += time.Duration(step>>2+1) * 10 * time.Millisecond
			switch step % 4 {
			case 0:
				model.begin(now)
			case 1:
				model.beginStream(now)
			default:
				model.end(int(step>>2), now)
			}
			model.check(t, now)
			model.checkCost(t, now)
		}
		for len(model.calls) > 0 {
			model.end(0, now)
			model.check(t, now)
		}
	})
}

// model is what a node should know, kept the naive way.
type model struct {
	node  *balancer.Node
	calls []modelCall
}

type modelCall struct {
	ticket balancer.Ticket
	start  time.Duration
	timed  bool
}

func (m *model) begin(now time.Duration) {
	timed := 0
	for _, c := range m.calls {
		if c.timed {
			timed++
		}
	}
	m.calls = append(m.calls, modelCall{m.node.Start(now), now, timed < 11})
}

func (m *model) beginStream(now time.Duration) {
	m.calls = append(m.calls, modelCall{m.node.StartStream(now), now, false})
}

func (m *model) end(which int, now time.Duration) {
	if len(m.calls) == 0 {
		return
	}
	which %= len(m.calls)
	m.calls[which].ticket.Done(now, balancer.Result(which%3))
	m.calls = slices.Delete(m.calls, which, which+1)
}

func (m *model) oldest(now time.Duration) (age time.Duration) {
	for _, c := range m.calls {
		if c.timed {
			age = max(age, now-c.start)
		}
	}
	return age
}

func (m *model) check(t *testing.T, now time.Duration) {
	t.Helper()
	s := m.node.Stats(now)
	if s.Outstanding != len(m.calls) {
		t.Fatalf("outstanding is %d, want %d", s.Outstanding, len(m.calls))
	}
	about(t, "oldest", s.Oldest, m.oldest(now))
}

// checkCost holds the node against one that costs a little less than the
// oldest call has waited and is equally busy: it must lose.
func (m *model) checkCost(t *testing.T, now time.Duration) {
	t.Helper()
	oldest := m.oldest(now)
	if oldest < time.Millisecond {
		return
	}
	other := balancer.NewNode(fixture.Instances("orders", 1)[0], 1)
	took(other, oldest*8/10, now)
	hold(other, len(m.calls), now)
	policy := balancer.P2CEWMA{}
	for bits := range uint64(8) {
		r := balancer.Request{Now: now, Rand: bits << 61}
		if got := policy.Picker(balancer.Among(m.node, other)).Pick(r); got != other {
			t.Fatalf("chosen although a call has waited %v: %+v against %+v", oldest, m.node.Stats(now), other.Stats(now))
		}
	}
}

// Whoever calls, whatever order the calls end in: in the end none is counted.
func TestNodeCountsExactlyUnderConcurrency(t *testing.T) {
	n := newNodes(t, 1)[0]
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for i := range 2000 {
				now := start + time.Duration(i)*time.Millisecond
				a, b, c := n.Start(now), n.StartStream(now), n.Start(now)
				if n.Outstanding() < 3 {
					t.Error("own calls are not counted")
				}
				n.Stats(now)
				b.Done(now, balancer.Success)
				c.Done(now+time.Millisecond, balancer.Failure)
				a.Done(now+2*time.Millisecond, balancer.Neutral)
			}
		})
	}
	callers.Wait()
	if s := n.Stats(start); s.Outstanding != 0 || s.Oldest != 0 {
		t.Errorf("all are done: %+v", s)
	}
}

func TestNewNode(t *testing.T) {
	i := fixture.Instances("orders", 1)[0]
	n := balancer.NewNode(i, 7)
	if n.ID() != i.ID || n.Index() != 7 || n.Instance().Addr != i.Addr {
		t.Errorf("ID %q, index %d, instance %+v", n.ID(), n.Index(), n.Instance())
	}
	if s := n.Stats(start); s != (balancer.Stats{}) {
		t.Errorf("a new node knows %+v", s)
	}
}

func TestStatsMarshal(t *testing.T) {
	n := newNodes(t, 1)[0]
	took(n, 5*time.Millisecond, start)
	got, err := json.Marshal(n.Stats(start))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"outstanding":0,"oldestNs":0,"latencyNs":5000000,"failing":0,"idleNs":0}`; string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
