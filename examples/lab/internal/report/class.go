package report

import (
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Class is how calls of one priority ended, as shares of them.
type Class struct {
	Priority ratelimit.Priority `json:"priority"`
	Calls    int64              `json:"calls"`
	Well     float64            `json:"well"`
	// Withheld were not sent by their client, and Refused were by servers, for a limit
	// of theirs. Failed are all others that did not go well.
	Withheld float64 `json:"withheld"`
	Refused  float64 `json:"refused"`
	Failed   float64 `json:"failed"`
	// Latencies are of those that went well; absent where they are not known.
	P50 float64 `json:"p50_ms,omitzero"`
	P99 float64 `json:"p99_ms,omitzero"`
}

// newClass makes that of some calls; those that never ended failed.
func newClass(p ratelimit.Priority, calls int64, e sim.Ended) Class {
	n := float64(max(1, calls))
	return Class{
		Priority: p, Calls: calls, Well: float64(e.Well) / n, Withheld: float64(e.Withheld) / n, Refused: float64(e.Refused) / n,
		Failed: float64(calls-e.Well-e.Withheld-e.Refused) / n,
	}
}

// priorities are all, the most important first.
var priorities = [...]ratelimit.Priority{ratelimit.Critical, ratelimit.Default, ratelimit.Sheddable}

// classes are those of a result, if there are several.
func classes(r *sim.Result) (some []Class) {
	for _, p := range priorities {
		if one := &r.Ranks[p.Index()]; one.Calls > 0 {
			c := newClass(p, one.Calls, one.Ended)
			c.P50, c.P99 = milliseconds(one.Latency.Quantile(0.5)), milliseconds(one.Latency.Quantile(0.99))
			some = append(some, c)
		}
	}
	if len(some) < 2 {
		return nil
	}
	return some
}
