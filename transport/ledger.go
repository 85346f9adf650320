package transport

import (
	"slices"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/retry"
)

// ledger is to whom the attempts of a call went. Two that are on their way at
// the same time share one, see [race].
type ledger struct {
	nodes [mostTried]*balancer.Node
	count int
}

// mostTried bounds the ledger; gRPC's transparent retries may add picks to our
// attempts.
const mostTried = retry.MostAttempts + 3

func (l *ledger) note(n *balancer.Node) {
	if l.count < len(l.nodes) {
		l.nodes[l.count] = n
		l.count++
	}
}

func (l *ledger) all() []*balancer.Node { return l.nodes[:l.count] }

// note writes a pick into the ledger.
func (c *Call) note(n *balancer.Node) {
	c.picks++
	c.node = n
	if r := c.race; r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tried.note(n)
		if c.follows {
			r.also++
		}
		return
	}
	c.tried.note(n)
}

// was reports whether an attempt of this call went to the node already.
func (c *Call) was(n *balancer.Node) bool {
	if r := c.race; r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.Contains(r.tried.all(), n)
	}
	return slices.Contains(c.tried.all(), n)
}

// wasNear reports whether an attempt of this call went to the zone of the node,
// where that has one.
func (c *Call) wasNear(n *balancer.Node) bool {
	tried := c.tried
	if r := c.race; r != nil {
		r.mu.Lock()
		tried = r.tried
		r.mu.Unlock()
	}
	i := n.Instance()
	return slices.ContainsFunc(tried.all(), func(n *balancer.Node) bool {
		other := n.Instance()
		return other.Zone == i.Zone && other.Region == i.Region
	})
}
