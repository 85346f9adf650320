package balancer

import "time"

// Judge takes note of what active checks make of a node, see [Checker], and
// publishes a view if that changes who may be chosen: one that fails them is
// passed over; one that passes them is back at once, also if its calls had it
// ejected, and its load grows slowly. The verdict stays with the node, which may
// leave the list and come back. A [Checker] tells changes only, so that checks
// which go on passing take nobody back whom calls ejected: there Envoy's default
// is another (successful_active_health_check_uneject_host), by which an instance
// that fails its calls and passes its checks is back after each of these.
func (p *Pool) Judge(n *Node, healthy bool, now time.Duration) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	if healthy {
		n.evidence.And(^unwell)
	} else {
		n.evidence.Or(unwell)
	}
	if n.inbox != p.judge.inbox { // it belongs to another pool, or to none
		return p.View()
	}
	changed, readmitted := p.judge.sentence(n, healthy, now)
	if readmitted {
		p.nursery.admit(n, 0, now)
	}
	if !changed {
		return p.View()
	}
	return p.publish(p.View().Snapshot, false)
}

// Acquit takes back what active checks made of all nodes, and publishes a view if
// that changes who may be chosen. It is for when nobody is probed any more: only
// a probe would take back that an instance failed another. Who is passed over for
// how calls ended stays so.
func (p *Pool) Acquit(now time.Duration) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := false
	for _, n := range p.members {
		if !n.Unwell() {
			continue
		}
		n.evidence.And(^unwell)
		if n.outage != nil && n.outage.reason == FailedHealthCheck {
			p.judge.readmit(n, now)
			p.nursery.admit(n, 0, now)
			changed = true
		}
	}
	if !changed {
		return p.View()
	}
	return p.publish(p.View().Snapshot, false)
}

// Unwell reports whether active checks say that the instance cannot do its
// work. Without any, none is.
func (n *Node) Unwell() bool { return n.evidence.Load()&unwell != 0 }
