package report

import "math"

// Estimate is the mean over several seeds, and where the true mean is with 95 %
// confidence, if what seeds give is normally distributed.
type Estimate struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// t95 is the 97.5 % quantile of Student's t by degrees of freedom, from 1 on.
var t95 = [...]float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
	2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042}

func estimate(values []float64) Estimate {
	n := float64(len(values))
	if n == 0 {
		return Estimate{}
	}
	mean, variance := 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	if n == 1 {
		return Estimate{mean, mean, mean}
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean) / (n - 1)
	}
	t := 1.96
	if free := len(values) - 1; free <= len(t95) {
		t = t95[free-1]
	}
	by := t * math.Sqrt(variance/n)
	return Estimate{mean, mean - by, mean + by}
}

// Interval is the rows of one policy in one setting, over all seeds. Times of a
// bound are of the same seed, so that what chance did to both counts for neither.
type Interval struct {
	Scenario string  `json:"scenario"`
	Policy   string  `json:"policy"`
	Clients  int     `json:"clients"`
	Load     float64 `json:"load"`
	Seeds    int     `json:"seeds"`

	P50             Estimate  `json:"p50_ms"`
	P99             Estimate  `json:"p99_ms"`
	P999            Estimate  `json:"p999_ms"`
	MaxOverMean     Estimate  `json:"max_over_mean"`
	Errors          Estimate  `json:"errors"`
	BadShare        *Estimate `json:"bad_share"`
	Connections     Estimate  `json:"connections"`
	AttemptsPerCall Estimate  `json:"attempts_per_call"`

	// P99Oracle and P999Oracle are in terms of p2c-oracle, P999Prequal in terms of
	// prequal; null where those were not played.
	P99Oracle   *Estimate `json:"p99_over_oracle"`
	P999Oracle  *Estimate `json:"p999_over_oracle"`
	P999Prequal *Estimate `json:"p999_over_prequal"`
}

// Intervals puts rows together that differ by seed only, in their order.
func Intervals(rows []Row) []Interval {
	type key struct {
		group
		policy string
	}
	var order []key
	of := map[key][]Row{}
	for _, r := range rows {
		k := key{r.group(), r.Policy}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], r)
	}
	var all []Interval
	for _, k := range order {
		some := of[k]
		over := func(f func(*Row) float64) Estimate {
			values := make([]float64, len(some))
			for i := range some {
				values[i] = f(&some[i])
			}
			return estimate(values)
		}
		against := func(policy string, f func(*Row) float64) *Estimate {
			other := of[key{k.group, policy}]
			if len(other) != len(some) {
				return nil
			}
			values := make([]float64, len(some))
			for i := range some {
				values[i] = f(&some[i]) / max(f(&other[i]), 1e-9)
			}
			e := estimate(values)
			return &e
		}
		p99, p999 := func(r *Row) float64 { return r.P99 }, func(r *Row) float64 { return r.P999 }
		one := Interval{
			Scenario: k.scenario, Policy: k.policy, Clients: k.clients, Load: k.load, Seeds: len(some),
			P50: over(func(r *Row) float64 { return r.P50 }), P99: over(p99), P999: over(p999),
			MaxOverMean:     over(func(r *Row) float64 { return r.MaxOverMean }),
			Errors:          over(func(r *Row) float64 { return r.Errors }),
			Connections:     over(func(r *Row) float64 { return float64(r.Connections) }),
			AttemptsPerCall: over(func(r *Row) float64 { return r.AttemptsPerCall }),
			P99Oracle:       against("p2c-oracle", p99), P999Oracle: against("p2c-oracle", p999), P999Prequal: against("prequal", p999),
		}
		if some[0].BadShare != nil {
			e := over(func(r *Row) float64 {
				if r.BadShare == nil {
					return 0
				}
				return *r.BadShare
			})
			one.BadShare = &e
		}
		all = append(all, one)
	}
	return all
}
