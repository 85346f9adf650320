package transport

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// course is what the calls to a service go by: its instances and its rules at
// one moment. It is immutable, save for the selections, which calls add as they
// need them.
type course struct {
	service *service
	view    *balancer.View
	table   *rule.Table // nil: no rule says anything
	plans   plans       // of the table
	level   Level

	lanes map[string]uint16 // those that have instances, numbered from 1

	// selections is copied on write: a call finds its own with one load.
	selections atomic.Pointer[map[uint64]*selection]
	mu         sync.Mutex // held to replace it, and while a selection is made for it
}

// selection is some of the instances, and how one of them is chosen.
type selection struct {
	narrowing rule.Narrowing
	protocol  discovery.Protocol
	choice    *balancer.Choice // nil: there are none
	used      atomic.Bool      // by a call of this course
	last      time.Duration    // when the end of an earlier course found it used
}

// rememberSelections is how long a selection is kept that no call uses, and so
// the connections to its instances: calls that come once a minute find them
// there, however often the list changes.
const rememberSelections = 5 * time.Minute

// mostSelections bounds what one course remembers. Lanes are bounded by the
// instances and the rest by the document; their product is not.
const mostSelections = 1024

// takeOver begins a course with what calls used, not long ago, of those before.
func (c *course) takeOver(before *course, now time.Duration) {
	if c.table == nil {
		c.selections.Store(&map[uint64]*selection{})
		return
	}
	c.numberLanes()
	all := map[uint64]*selection{}
	for _, s := range before.used(now) {
		narrowing, ok := c.table.Carry(before.table, s.narrowing)
		number := c.view.Number(s.protocol)
		if !ok || number < 0 {
			continue
		}
		choice := c.narrow(c.table, narrowing, s.protocol, s.choice)
		all[c.key(narrowing, number)] = &selection{narrowing: narrowing, protocol: s.protocol, choice: choice, last: s.lastUsed(now)}
	}
	c.selections.Store(&all)
}

// used returns the selections that calls asked for not long ago.
func (c *course) used(now time.Duration) (all []*selection) {
	if c == nil {
		return nil
	}
	for _, s := range *c.selections.Load() {
		if now-s.lastUsed(now) <= rememberSelections {
			all = append(all, s)
		}
	}
	return all
}

// lastUsed is when, as far as is known at the end of a course: what calls of a
// course used they may have used until now.
func (s *selection) lastUsed(now time.Duration) time.Duration {
	if s.used.Load() {
		return now
	}
	return s.last
}

func (c *course) numberLanes() {
	if !c.table.HasLanes() {
		return
	}
	c.lanes = map[string]uint16{}
	for _, n := range c.view.Nodes {
		if lane := c.table.LaneOf(n.Instance()); lane != "" && c.lanes[lane] == 0 && len(c.lanes) < elsewhere-1 {
			c.lanes[lane] = uint16(len(c.lanes) + 1)
		}
	}
}

// elsewhere is the number of all lanes that have no instance.
const elsewhere = 1<<16 - 1

// key is that of a selection.
func (c *course) key(n rule.Narrowing, choice int) uint64 {
	key := uint64(n.Number()) | uint64(choice)<<48
	if c.lanes != nil && n.Lane() != "" {
		number, ok := c.lanes[n.Lane()]
		if !ok {
			number = elsewhere
		}
		key |= uint64(number) << 32
	}
	return key
}

// narrow returns the choice that a narrowing of a table leaves, in the place of
// another; nil if it leaves nobody.
func (c *course) narrow(t *rule.Table, n rule.Narrowing, p discovery.Protocol, before *balancer.Choice) *balancer.Choice {
	all := c.view.Choice(p)
	if all == nil {
		return nil
	}
	some := rule.Narrow(t, n, all.Nodes, (*balancer.Node).Instance)
	if len(some) == 0 {
		return nil
	}
	return c.view.Over(some, before)
}

// some returns the choice that a narrowing of the course's own table leaves.
func (c *course) some(n rule.Narrowing, p discovery.Protocol) *balancer.Choice {
	if n.Number() == 0 && c.lanes == nil {
		return c.view.Choice(p)
	}
	number := c.view.Number(p)
	if number < 0 {
		return nil
	}
	key := c.key(n, number)
	s := (*c.selections.Load())[key]
	if s == nil {
		s = c.add(key, n, p)
	}
	if !s.used.Load() {
		s.used.Store(true)
	}
	return s.choice
}

// add makes a selection for the first call that needs it, and remembers it while
// there is room.
func (c *course) add(key uint64, n rule.Narrowing, p discovery.Protocol) *selection {
	s, made := c.remember(key, n, p)
	if made && s.choice != nil {
		c.ask(p, s.choice.Called()) // once it is there to be seen
	}
	return s
}

// remember makes a selection once, however many calls meet it first: the table
// of a policy that hashes is much work, and they would need it all the same.
func (c *course) remember(key uint64, n rule.Narrowing, p discovery.Protocol) (s *selection, made bool) {
	if len(*c.selections.Load()) >= mostSelections {
		return c.newSelection(n, p), true // callers who vary what filters look at get no lock to share
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := *c.selections.Load()
	if s := all[key]; s != nil {
		return s, false
	}
	s = c.newSelection(n, p)
	if len(all) >= mostSelections {
		return s, true
	}
	next := make(map[uint64]*selection, len(all)+1)
	maps.Copy(next, all)
	next[key] = s
	c.selections.Store(&next)
	return s, true
}

func (c *course) newSelection(n rule.Narrowing, p discovery.Protocol) *selection {
	return &selection{narrowing: n, protocol: p, choice: c.narrow(c.table, n, p, nil), last: balancer.Now()}
}
