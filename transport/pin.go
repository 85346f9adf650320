package transport

import (
	"errors"
	"fmt"

	"github.com/fairlead-go/fairlead/balancer"
)

// ErrPinning is wrapped by the error of a call that asks for one instance by
// its ID, see [Instance], where the mesh does not allow that or the instance is
// not there.
var ErrPinning = errors.New("call is pinned to an instance")

// WithPinning allows calls that are pinned to an instance, see [Instance].
// Without it they fail: who may choose where a call goes can pass over all that
// balances and protects.
func WithPinning() Option { return func(o *options) { o.pinning = true } }

// Instance sends the call to the instance with that ID and to no other, for
// debugging, whatever the rules, the policy and its draining say. It needs
// [WithPinning].
func Instance(id string) CallOption { return func(s *settings) { s.instance = id } }

// pinnable refuses a call that is pinned and must not be.
func (m *Mesh) pinnable(call *Call) error {
	if call.pin == "" || m.options.pinning {
		return nil
	}
	return m.refuse(call, fmt.Errorf("%w: %q, and transport.WithPinning does not allow it", ErrPinning, call.pin))
}

// pinned returns the one instance that a call asks for, nil if it cannot be
// reached.
func (c *course) pinned(call *Call) *balancer.Choice {
	node := nodeOf(c.view.Nodes, call.pin)
	if node == nil || node.Endpoint(call.Protocol) == "" {
		return nil
	}
	choice := sole(node)
	c.ask(call.Protocol, choice.Nodes)
	return choice
}

// sole is the choice of one node.
func sole(n *balancer.Node) *balancer.Choice {
	one := []*balancer.Node{n}
	return &balancer.Choice{Nodes: one, Eligible: one, Well: 1, Picker: balancer.Random{}.Picker(balancer.Among(one...))}
}
