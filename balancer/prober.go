package balancer

import (
	"context"
	"errors"
)

// Prober finds out whether an instance can do its work. Probe returns nil if it
// can, an error that says why not, or one that wraps [ErrUnprobed]. It has to end
// with ctx, which is done when its time is up, and is called for several nodes
// at once. One that implements interface{ Validate() error } is asked before it
// is used.
//
// [TCPProber] is the one of this package; the doors have theirs for what they
// speak.
type Prober interface {
	Probe(ctx context.Context, n *Node) error
}

// ErrUnprobed says that a probe was none: the prober cannot reach this instance
// by what it speaks, or not from here. It counts neither for the instance nor
// against it.
var ErrUnprobed = errors.New("not probed")

// ProberFunc is a prober made of a function.
type ProberFunc func(ctx context.Context, n *Node) error

// Probe implements [Prober].
func (f ProberFunc) Probe(ctx context.Context, n *Node) error { return f(ctx, n) }
