package balancer

// list is a list of nodes that is built beside an earlier one and stays that
// one for as long as both agree: most lists are those of a moment ago.
type list struct {
	earlier []*Node
	agreed  int
	own     []*Node // from where they differ on; nil: they do not
	room    int     // for nodes
}

func (l *list) add(n *Node) {
	switch {
	case l.own != nil:
		l.own = append(l.own, n)
	case l.agreed < len(l.earlier) && l.earlier[l.agreed] == n:
		l.agreed++
	default:
		l.own = append(append(make([]*Node, 0, max(l.room, l.agreed+1)), l.earlier[:l.agreed]...), n)
	}
}

// nodes returns the list. It must not be written to.
func (l *list) nodes() []*Node {
	if l.own != nil {
		return l.own
	}
	return l.earlier[:l.agreed:l.agreed]
}
