package scenario

import (
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/retry"
)

// Feature is something that callers or servers may have: a world without it, and
// the same with it.
type Feature struct {
	Name          string
	Without, With sim.Plan
	// Trouble is from when to when something is wrong. The zero value: nothing is,
	// or all the time.
	Trouble Trouble
}

// Trouble is a time in which something is wrong.
type Trouble struct{ From, Until time.Duration }

// with is a plan and what is different.
func with(p sim.Plan, changes ...func(*sim.Plan)) sim.Plan {
	for _, change := range changes {
		change(&p)
	}
	return p
}

// unbounded lets as many attempts be made again as the policy has.
func unbounded(p *sim.Plan) { p.Budget = retry.BudgetConfig{Ratio: 1, MinPerSecond: 10_000} }

// hedged sends a call a second time that takes longer than 95 % do.
func hedged(p *sim.Plan) { p.Hedge, p.Idempotent = &retry.HedgeConfig{}, true }

// heeded makes servers stop what nobody waits for any more.
func heeded(p *sim.Plan) { p.Heeds = true }
