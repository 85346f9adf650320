package balancer

// eligible returns those of the nodes that calls may go to, and how many of the
// nodes are well. Where that is too small a part, it is nearly all: those who
// are well could not carry the load. Who cannot be reached at all is passed over
// even then, as long as anybody can. Where others relieve the nodes of it, only
// those are eligible that are well, be it nobody. Earlier is the list of a
// moment ago.
func (v *View) eligible(nodes, earlier []*Node, relieved bool) (eligible []*Node, well int) {
	if len(v.Outages) == 0 {
		return nodes, len(nodes)
	}
	reachable := list{earlier: earlier, room: len(nodes)}
	some := list{earlier: earlier, room: len(nodes)}
	for _, n := range nodes {
		reason := v.outage(n)
		if reason == 0 {
			some.add(n)
			well++
		}
		if !reason.unready() {
			reachable.add(n)
		}
	}
	switch reached := reachable.nodes(); {
	case well == len(nodes):
		return nodes, well
	case relieved || well > 0 && float64(well) >= v.panicThreshold*float64(len(nodes)):
		return some.nodes(), well
	case len(reached) > 0:
		return reached, well
	}
	return nodes, well
}

// outage returns why a node is passed over, 0 if it is not.
func (v *View) outage(n *Node) Reason {
	if i := n.Index(); i < len(v.reasons) {
		return v.reasons[i]
	}
	return 0
}

// takeNote adds the nodes that are passed over. The list must be as long as the
// numbers that nodes have.
func (v *View) takeNote(known []*Node, numbers int32) {
	for _, n := range known {
		o := n.outage
		if o.reason == 0 || n.standing >= missed {
			continue
		}
		if v.reasons == nil {
			v.reasons = make([]Reason, numbers)
		}
		v.reasons[n.index] = o.reason
		probing := n.probe.Load() != 0
		if probing {
			v.due = append(v.due, n)
		}
		until := o.until
		if until == never {
			until = 0
		}
		v.Outages = append(v.Outages, Outage{n, o.reason, o.since, until, o.times(), probing})
	}
}
