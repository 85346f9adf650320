package transport

import (
	"cmp"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
)

// budgetOf returns what pays for the retries of calls of a priority. Sheddable calls
// have a budget of their own, so that theirs leave enough to the others.
func (s *service) budgetOf(p ratelimit.Priority) *retry.Budget {
	if p <= ratelimit.Sheddable {
		return s.bulk
	}
	return s.budget
}

// budgetLocked sets what a service may retry, as the rules have it, and where they
// say nothing, code.
func (m *Mesh) budgetLocked(s *service, said rule.Budget) {
	c := m.options.budget
	if said.Ratio != 0 {
		c.Ratio = said.Ratio.Of()
	}
	if said.MinPerSecond != 0 {
		c.MinPerSecond = float64(said.MinPerSecond)
	}
	if last := s.allowance.Swap(&c); last != nil && *last == c {
		return
	}
	_ = s.budget.Set(c) // validated
	_ = s.bulk.Set(c)
	if m.options.shared != nil {
		return
	}
	m.sharing.Lock()
	defer m.sharing.Unlock()
	most := m.options.budget
	for _, s := range *m.services.Load() {
		if c := s.allowance.Load(); c != nil {
			most = atLeast(most, *c)
		}
	}
	_ = m.budget.Set(most) // validated
	_ = m.bulk.Set(most)
}

// atLeast returns the bounds that allow what either allows.
func atLeast(a, b retry.BudgetConfig) retry.BudgetConfig {
	return retry.BudgetConfig{
		Ratio:        max(cmp.Or(a.Ratio, retry.DefaultRatio), cmp.Or(b.Ratio, retry.DefaultRatio)),
		MinPerSecond: max(cmp.Or(a.MinPerSecond, retry.DefaultMinPerSecond), cmp.Or(b.MinPerSecond, retry.DefaultMinPerSecond)),
	}
}
