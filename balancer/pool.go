package balancer

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// PoolConfig configures a [Pool]. The zero value is good.
type PoolConfig struct {
	Policy Policy          // nil: P2CEWMA
	Reach  discovery.Reach // which endpoints this process may use
}

// Pool follows the instances of one service. View may be called by anyone at
// any time; Update is for one owner at a time.
type Pool struct {
	config PoolConfig
	view   atomic.Pointer[View]

	mu    sync.Mutex // guards the rest, held by Update only
	nodes map[string]*member
	free  []int // numbers of forgotten nodes
}

// member is a node with what only the pool knows of it.
type member struct {
	node *Node
	gone bool          // from the snapshots
	left time.Duration // when that was
}

// remembered is how long a node that left is kept: an instance that comes back
// with the same ID after a blip of its registration finds its statistics.
const remembered = 5 * time.Minute

// NewPool returns a pool whose view is empty and cold. The error is a
// [discovery.FieldError].
func NewPool(config PoolConfig) (*Pool, error) {
	if err := config.Reach.Validate(); err != nil {
		return nil, err
	}
	if config.Policy == nil {
		config.Policy = P2CEWMA
	}
	p := &Pool{config: config, nodes: map[string]*member{}}
	p.view.Store(&View{})
	return p, nil
}

// View returns the current view, never nil.
func (p *Pool) View() *View { return p.view.Load() }

// Update makes the view of a snapshot and publishes it. An instance keeps its
// node, and with it all it measured, as long as its ID and its addresses stay;
// instances that left are remembered for five minutes.
func (p *Pool) Update(s discovery.Snapshot, now time.Duration) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)

	view := &View{Snapshot: s, Nodes: make([]*Node, 0, len(s.Instances))}
	protocols := []discovery.Protocol{discovery.HTTP, discovery.GRPC}
	here := make(map[string]bool, len(s.Instances))
	for i := range s.Instances {
		instance := s.Instances[i]
		for _, e := range instance.Endpoints {
			if !slices.Contains(protocols, e.Protocol) && len(protocols) < discovery.MaxEndpoints {
				protocols = append(protocols, e.Protocol)
			}
		}
		record := p.config.resolve(instance)
		view.passOver(record)
		view.Nodes = append(view.Nodes, p.admit(record))
		here[instance.ID] = true
	}
	for id, m := range p.nodes {
		if !here[id] && !m.gone {
			m.gone, m.left = true, now
		}
	}
	view.choose(p.config.Policy, append(protocols, whatever))
	p.view.Store(view)
	return view
}

// admit returns the node of an instance: its old one, or a new one where there
// is none or the instance now lives somewhere else.
func (p *Pool) admit(r *record) *Node {
	id := r.instance.ID
	m := p.nodes[id]
	if m == nil || !slices.Equal(m.node.record.Load().endpoints, r.endpoints) {
		index := len(p.nodes) + len(p.free)
		switch {
		case m != nil:
			index = m.node.Index()
		case len(p.free) > 0:
			index, p.free = p.free[len(p.free)-1], p.free[:len(p.free)-1]
		}
		m = &member{node: &Node{id: id, index: int32(index)}}
		p.nodes[id] = m
	}
	m.gone = false
	m.node.update(r)
	return m.node
}

// forget drops the nodes that left long ago and have no call outstanding.
func (p *Pool) forget(now time.Duration) {
	for id, m := range p.nodes {
		if m.gone && now-m.left > remembered && m.node.Outstanding() == 0 {
			delete(p.nodes, id)
			p.free = append(p.free, m.node.Index())
		}
	}
}

// resolve finds the address for each protocol the instance speaks.
func (c *PoolConfig) resolve(i *discovery.Instance) *record {
	usable, passed := c.Reach.Endpoints(i)
	return &record{instance: *i, endpoints: usable, passed: passed}
}
