package balancer

import "time"

// A node is a suspect while it can be chosen although its instance vanished
// from the list, see [Protection]. Its calls are the witnesses. Those of all
// other nodes pay nothing for it: whether a node is one is read together with
// its share of failures.

// suspected is the bit of Node.failing that says so, the sign of the float.
const suspected = 1 << 31

// Evidence about a suspect; the lower bits count failures.
const (
	unreachable uint32 = 1 << 31 // no connection came about
	answered    uint32 = 1 << 30 // a call succeeded
	unwell      uint32 = 1 << 29 // as active checks say; of any node
	failures           = unwell - 1
)

// enoughFailures, with no success, are an instance that does not answer. From
// nothing, that many make a share of failures above one half.
const enoughFailures = 3

// suspect makes the node a suspect, of whom nothing is known yet.
func (n *Node) suspect(now time.Duration) {
	n.evidence.And(unwell)
	n.since.Store(int64(now))
	n.failing.Or(suspected)
}

// clear ends the suspicion.
func (n *Node) clear() { n.failing.And(^uint32(suspected)) }

// testify takes note of how a call to a suspect ended. It writes only a few
// times, however many calls there are.
func (n *Node) testify(failed bool) {
	switch e := n.evidence.Load(); {
	case failed && e&failures < enoughFailures:
		n.evidence.Add(1)
	case !failed && e&answered == 0:
		n.evidence.Or(answered)
	}
}

// Unreachable tells that no connection to the instance comes about. Doors that
// connect ahead of calls, and would not call such a node, say it on their own;
// others end a call with the result of that name, which says more: that nobody
// should be sent there.
func (n *Node) Unreachable() {
	if n.failing.Load()&suspected != 0 {
		n.evidence.Or(unreachable)
	}
}

// confirmed reports whether its calls confirm what the list says of a suspect:
// that it is gone. Where no connection comes about nobody listens any more,
// whatever was answered before.
func (n *Node) confirmed() bool {
	e := n.evidence.Load()
	return e&unreachable != 0 || e&answered == 0 && e&failures >= enoughFailures
}

// Held returns since when the node is held although its instance vanished from
// the list, see [Protection]; ok is false if it is not.
func (n *Node) Held() (since time.Duration, ok bool) {
	if n.failing.Load()&suspected == 0 {
		return 0, false
	}
	return time.Duration(n.since.Load()), true
}
