package transport

import (
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
)

// Freeze makes m find what it finds after its process stood still for d: that
// its last beat is so much longer ago.
func Freeze(m *Mesh, d time.Duration) {
	last := m.pulse.last.Load()
	m.pulse.last.Store(&beat{moment{last.at.mono - d, last.at.wall - d}, last.thaws})
}

// PolicyOf is what an algorithm of a document stands for.
func PolicyOf(name string) balancer.Policy { return policyOf(&rule.LoadBalancer{Algorithm: name}, nil) }

// BalancingOf is what a document and code say together.
func BalancingOf(spec rule.Spec, code balancer.Balancing) balancer.Balancing {
	return balancingOf(&spec, code)
}

// FailCheck is a verdict of the checks on an instance, which nobody else checks
// at the same time.
func FailCheck(m *Mesh, service, id string, cause error) {
	s := (*m.services.Load())[service]
	for _, n := range s.pool.View().Nodes {
		if n.ID() == id {
			s.verdict(n, false, cause)
		}
	}
}

// Nobody is what a call says that found nobody in an older view than the one
// there is now.
func Nobody(m *Mesh, call *Call) error {
	s, err := m.lookup(call.Service)
	if err != nil {
		return err
	}
	return s.nobody(call)
}
