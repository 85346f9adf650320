package transport

import (
	"slices"

	"github.com/fairlead-go/fairlead/rule"
)

// obeyAs follows the rules of the service that a server is of. It ends with the
// mesh.
func (m *Mesh) obeyAs(a *Admission) {
	var pace pace
	m.heed()
	k := m.restoreDocument(a.service, validRules)
	for d, err := range m.rulesFrom(k).Rules(m.ctx, a.service) {
		pace.keep(m.ctx)
		a.hear(d, err)
	}
}

func (a *Admission) hear(d rule.Document, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.standing
	a.standing, a.trouble = before.Next(d), err
	if a.standing.Refused != nil && a.standing.RefusedRevision != before.RefusedRevision {
		a.refusals++
	}
	if a.standing.Table != before.Table {
		a.obeyLocked()
	}
	a.mesh.logRules(a.service, before, a.standing)
}

// obeyLocked puts the rules in force, as far as the settings let it.
func (a *Admission) obeyLocked() {
	table, err := a.mesh.under(a.service, a.standing.Table, a.table)
	if err != nil {
		return
	}
	a.table = table
	asked, off := a.config.limits(), false
	if table != nil && table.Server != nil {
		s := table.Server
		if off = s.Off; s.Limits != nil {
			asked.rates = s.Limits
		}
		if s.Concurrency != nil {
			asked.concurrency = s.Concurrency
		}
	}
	if off {
		a.limits.Store(nil)
		return
	}
	asked.concurrency = alone(asked.concurrency)
	l := newLimits(asked, nil, a.last, nil)
	if l == nil {
		l = &limits{}
	}
	a.last = l
	a.limits.Store(l)
}

// alone tells limits that learn that they see all calls of the server.
func alone(limits []rule.ConcurrencyTable) []rule.ConcurrencyTable {
	limits = slices.Clone(limits)
	for i := range limits {
		if a := limits[i].Config.Adaptive; a != nil {
			c := *a
			c.Alone = true
			limits[i].Config.Adaptive = &c
		}
	}
	return limits
}
