package sim

import (
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
)

// client is one process that calls. All that decides is the library's.
type client struct {
	zone      int
	hop       int // that it calls
	pool      *balancer.Pool
	choice    *balancer.Choice
	budget    *retry.Budget
	bulk      *retry.Budget    // of sheddable calls, as package transport has it; nil: there are none
	hedge     *retry.Hedge     // nil: there are no second attempts
	latencies *retry.Latencies // likewise
	limits    *limiter
	servers   []int32 // by the index of their node
	version   int     // of the list that it knows
	due       bool    // its pool is to be looked after soon
}

// newClient makes one that calls a hop.
func (w *world) newClient(number, hop int, zone string) (client, error) {
	c := client{zone: w.zoneOf(zone), hop: hop}
	b := w.plan.Balancing
	b.Policy = w.subject.Policy
	if b.Subset.Seed == "" {
		b.Subset.Seed = fmt.Sprintf("%d/%d", w.seed, number)
	}
	if zone != "" {
		b.Locality.Zone = zone
	}
	var err error
	if c.budget, err = w.newBudget(); err != nil {
		return c, err
	}
	if w.plan.Traffic.Shares[ratelimit.Sheddable.Index()] > 0 {
		if c.bulk, err = w.newBudget(); err != nil {
			return c, err
		}
	}
	if c.limits, err = newLimiter(&w.plan.Limits); err != nil {
		return c, err
	}
	if w.plan.Hedge != nil {
		c.latencies = new(retry.Latencies)
		if c.hedge, err = retry.NewHedge(*w.plan.Hedge); err != nil {
			return c, err
		}
	}
	if w.subject.Oracle != nil {
		return c, nil
	}
	c.pool, err = balancer.NewPool(balancer.PoolConfig{Balancing: b})
	return c, err
}

// budgetOf returns what pays for the retries of a call.
func (c *client) budgetOf(one *call) *retry.Budget {
	if one.priority == ratelimit.Sheddable {
		return c.bulk
	}
	return c.budget
}

// newBudget makes the budget of a client.
func (w *world) newBudget() (*retry.Budget, error) {
	if w.shared == nil {
		return retry.NewBudget(w.plan.Budget)
	}
	return w.shared.Child(w.plan.Budget)
}

// hear gives a client the list, if it has not heard of it.
func (w *world) hear(c *client) {
	if w.version == c.version || c.pool == nil {
		return
	}
	c.version = w.version
	c.see(w, c.pool.Update(w.lists[c.hop], time.Duration(w.now)))
}

// see makes a client choose by a view.
func (c *client) see(w *world, v *balancer.View) {
	for _, n := range v.Nodes {
		for n.Index() >= len(c.servers) {
			c.servers = append(c.servers, -1)
		}
		c.servers[n.Index()] = w.numberOf(n.ID())
	}
	c.choice = v.Choice(discovery.HTTP)
}

// review looks after the pool of a client, as Pool.Run does: a little after calls
// have shown something, and once a second.
func (w *world) review(c *client) {
	if v := c.pool.Review(time.Duration(w.now)); v.Choice(discovery.HTTP) != c.choice {
		c.see(w, v)
	}
}

// pause is what Pool.Run leaves between two reviews.
const pause = int64(10 * time.Millisecond)

// suspect makes the pool of a client be looked after soon.
func (w *world) suspect(number uint32) {
	if c := &w.clients[number]; c.pool != nil && !c.due {
		c.due = true
		w.queue.push(event{at: w.now + pause, who: number, kind: reviews, gen: 1})
	}
}

// redraws is how often an oracle is asked again that gives a call an instance
// that it was at.
const redraws = 4

// pick returns the number of the instance that a call goes to next and its node,
// which an oracle has none of; none if there is nobody, full if
// the limits of the client let it send to nobody.
func (w *world) pick(c *call) (int32, *balancer.Node) {
	if w.subject.Oracle != nil {
		server := w.subject.Oracle.Choose(Fleet{w}, w.picks.Uint64())
		for range redraws {
			if server < 0 || !c.tried(int32(server)) {
				break
			}
			server = w.subject.Oracle.Choose(Fleet{w}, w.picks.Uint64())
		}
		return int32(server), nil
	}
	by := &w.clients[c.client]
	if by.choice == nil {
		return none, nil
	}
	r := balancer.Request{Now: time.Duration(w.now), Rand: w.picks.Uint64(), Key: w.keys[c.key], Retry: c.sent > 0}
	n := by.choice.Picker.Pick(r)
	if n == nil {
		return none, nil
	}
	by.limits.precedence.Note(c.priority)
	server := by.servers[n.Index()]
	if (c.sent == 0 || !c.tried(server)) && by.takes(n, c.priority) {
		return server, n
	}
	n.Unsent(r.Now)
	r.Rand = w.picks.Uint64()
	ready := func(n *balancer.Node) bool { return by.takes(n, c.priority) }
	other := by.choice.Other(r, func(n *balancer.Node) bool { return !c.tried(by.servers[n.Index()]) && ready(n) }, ready)
	if other == nil {
		return full, nil
	}
	return by.servers[other.Index()], other
}
