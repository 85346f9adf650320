package sim

import "fmt"

// errand says for which attempt at a server a call is made.
type errand struct {
	of  int32
	gen uint16
}

var noErrand = errand{of: none}

// hops is how many services call each other.
func (p *Plan) hops() (n int) {
	for _, c := range p.Fleet {
		n = max(n, c.Hop+1)
	}
	return n
}

// callers makes a client of each instance that calls others.
func (w *world) callers() error {
	for _, s := range w.servers {
		class := &w.plan.Fleet[s.class]
		if class.Hop == len(w.lists)-1 {
			continue
		}
		c, err := w.newClient(len(w.clients), class.Hop+1, class.Zone)
		if err != nil {
			return err
		}
		s.caller = int32(len(w.clients))
		w.clients = append(w.clients, c)
	}
	return nil
}

// errand lets a server that has done its own work for an attempt call the next hop.
// It holds no worker meanwhile, and the call has the time that the attempt has left.
func (w *world) errand(of int32) {
	a := &w.attempts[of]
	limit, _ := w.limit(a)
	if w.now >= limit {
		return
	}
	a.events++
	a.away = true
	number := w.newCall()
	c := &w.calls[number]
	*c = call{
		client: uint32(w.servers[a.server].caller), begun: w.now, limit: limit, work: w.plan.Work.draw(w.errands),
		errand: errand{of, a.gen}, counts: w.calls[a.call].counts, priority: w.calls[a.call].priority,
	}
	w.start(number)
}

// bring brings what came of an errand to the one whom it was for.
func (w *world) bring(e errand, well bool) {
	a := &w.attempts[e.of]
	if a.gen != e.gen {
		return
	}
	a.events--
	a.away = false
	how := failed
	if well {
		how = served
	}
	if a.live {
		w.reply(e.of, w.now, w.now, how)
	}
	w.drop(e.of)
}

// mostHops is the largest Hop.
const mostHops = 9

func (p *Plan) validateHops() error {
	hops := p.hops()
	if hops == 1 {
		return nil
	}
	var known [mostHops + 1]bool
	for i, c := range p.Fleet {
		known[c.Hop] = true
		if c.From > 0 {
			return bad(fmt.Sprintf("Fleet[%d].From", i), c.From, "0 where there are hops")
		}
	}
	for hop, ok := range known[:hops] {
		if !ok {
			return bad("Hop", hops-1, fmt.Sprintf("those that follow on each other: there is no class of %d", hop))
		}
	}
	switch {
	case len(p.Deploys) > 0:
		return bad("Deploys", len(p.Deploys), "none where there are hops")
	case p.Scaler.Every > 0:
		return bad("Scaler.Every", p.Scaler.Every, "0 where there are hops")
	case p.Heeds:
		return bad("Heeds", true, "false where there are hops")
	}
	return nil
}
