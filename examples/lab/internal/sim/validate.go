package sim

import (
	"fmt"
	"math"
	"time"
)

// mostCalls bounds what a plan may cost: minutes.
const mostCalls = 1e9

// Validate says what is wrong with a plan: the field, its value, and what is
// allowed. A plan that is valid can be played to its end.
func (p Plan) Validate() error {
	p = p.withDefaults()
	if err := p.Work.validate(); err != nil {
		return err
	}
	if len(p.Fleet) == 0 {
		return bad("Fleet", "empty", "at least one class")
	}
	instances := 0
	for i, c := range p.Fleet {
		if err := c.validate(); err != nil {
			return fmt.Errorf("class %q, Fleet[%d]: %w", c.Name, i, err)
		}
		if instances += c.Count; instances > 100_000 {
			return bad("Fleet", instances, "at most 100000 instances")
		}
	}
	return first(
		within("Length", p.Length, time.Millisecond, 1000*time.Hour),
		within("Warmup", p.Warmup, 0, p.Length-1),
		whole("Clients", p.Clients, 1, 100_000),
		whole("Keys", p.Keys, 1, 1_000_000),
		whole("Clients × instances", p.Clients*instances, 1, 20_000_000),
		p.Traffic.validate(),
		within("Network.Near", p.Network.Near, 0, time.Minute),
		within("Network.Far", p.Network.Far, 0, time.Minute),
		within("Lists.Delay", p.Lists.Delay, 0, time.Hour),
		within("Lists.Lease", p.Lists.Lease, 0, time.Hour),
		within("Lists.StaleFrom", p.Lists.StaleFrom, 0, 48*time.Hour),
		within("Lists.StaleUntil", p.Lists.StaleUntil, 0, 48*time.Hour),
		within("Timeout", p.Timeout, 0, time.Hour),
		p.validateChanges(),
		p.Retry.Validate(),
		p.Budget.Validate(),
		p.validateExtras(),
		p.validateHops(),
		p.validateLimits(),
		p.validateAdmission(),
		p.Balancing.Validate(),
		p.validateCost(),
	)
}

// Calls is how many calls come at most, about.
func (p Plan) Calls() float64 {
	p = p.withDefaults()
	if c := p.Traffic.Closed; c.Callers > 0 {
		return float64(p.Clients) * float64(c.Callers) * p.Length.Seconds() / (c.Think + 2*min(p.Network.Near, p.Network.Far)).Seconds()
	}
	return p.Traffic.most() * p.rate() * p.Length.Seconds()
}

// validateCost bounds all that a plan has much of.
func (p *Plan) validateCost() error {
	instances, spells := 0.0, 0.0
	for _, c := range p.Fleet {
		instances += float64(c.Count)
		for _, s := range []Spell{c.Pauses, c.Neighbours} {
			if s.Every > 0 {
				spells += float64(c.Count) * float64(p.Length) / float64(s.Every)
			}
		}
	}
	lists := float64(len(p.Changes) + len(p.Fleet))
	for range p.Deploys {
		lists += 2 * instances
	}
	if s := p.Scaler; s.Every > 0 {
		lists += 2 * float64(p.Length) / float64(s.Every)
		instances = max(instances, float64(s.Most))
	}
	return first(
		number("the calls that come", p.Calls()*math.Pow(float64(p.Retry.Most()), float64(p.hops()-1)), 0, mostCalls),
		number("the spells that come", spells, 0, mostCalls/100),
		number("Clients × seconds", float64(p.Clients)*p.Length.Seconds(), 0, mostCalls),
		number("Clients × instances × lists", float64(p.Clients)*instances*lists, 0, 10*mostCalls),
	)
}

// validateExtras looks at what there need not be.
func (p *Plan) validateExtras() error {
	if p.Hedge != nil {
		if err := p.Hedge.Validate(); err != nil {
			return err
		}
	}
	if p.Shared != nil {
		return p.Shared.Validate()
	}
	return nil
}

func (p *Plan) validateChanges() error {
	known := map[string]bool{}
	for _, c := range p.Fleet {
		known[c.Name] = true
	}
	class := func(field, name string) error {
		if !known[name] {
			return bad(field, fmt.Sprintf("%q", name), "the name of a class of the fleet")
		}
		return nil
	}
	hangs := false
	for _, c := range p.Fleet {
		hangs = hangs || c.Hangs
	}
	for i, c := range p.Changes {
		field := fmt.Sprintf("Changes[%d]", i)
		if err := first(class(field+".Class", c.Class), within(field+".At", c.At, 0, 24*time.Hour), c.To.validate()); err != nil {
			return err
		}
		hangs = hangs || c.To.Hangs
	}
	if hangs && p.Timeout == 0 {
		return bad("Timeout", p.Timeout, "more than 0 where an instance hangs")
	}
	for i, d := range p.Deploys {
		field := fmt.Sprintf("Deploys[%d]", i)
		if err := first(class(field+".Class", d.Class), within(field+".At", d.At, 0, 24*time.Hour),
			within(field+".Every", d.Every, time.Millisecond, time.Hour), within(field+".Drain", d.Drain, 0, time.Hour)); err != nil {
			return err
		}
	}
	if s := p.Scaler; s.Every != 0 {
		return first(class("Scaler.Class", s.Class), within("Scaler.Every", s.Every, 100*time.Millisecond, time.Hour), within("Scaler.Delay", s.Delay, 0, time.Hour),
			number("Scaler.Target", s.Target, 0.01, 1), whole("Scaler.Least", s.Least, 1, 100_000), whole("Scaler.Most", s.Most, s.Least, 100_000),
			whole("Clients × Scaler.Most", p.Clients*min(s.Most, 100_000), 1, 20_000_000))
	}
	return nil
}

func (t *Traffic) validate() error {
	for i, s := range t.Steps {
		if err := number(fmt.Sprintf("Traffic.Steps[%d].Load", i), s.Load, 0, 100); err != nil {
			return err
		}
	}
	return first(
		t.Shares.validate(),
		number("Traffic.Load", t.Load, 0, 100),
		within("Traffic.Bursts.Every", t.Bursts.Every, 0, 24*time.Hour),
		within("Traffic.Bursts.For", t.Bursts.For, 0, 24*time.Hour),
		number("Traffic.Bursts.Times", t.Bursts.Times, 0, 1000),
		within("Traffic.Day.Length", t.Day.Length, 0, 24*time.Hour),
		number("Traffic.Day.Low", t.Day.Low, 0, 1),
		whole("Traffic.Closed.Callers", t.Closed.Callers, 0, 100_000),
		within("Traffic.Closed.Think", t.Closed.Think, 0, time.Hour),
	)
}

func (w Work) validate() error {
	if len(w.Recorded) > 0 {
		for i, d := range w.Recorded {
			if err := within(fmt.Sprintf("Work.Recorded[%d]", i), d, 0, time.Hour); err != nil {
				return err
			}
		}
	}
	return first(
		within("Work.Mean", w.Mean, time.Microsecond, time.Hour),
		whole("Work.Shape", int(w.Shape), 0, int(Bimodal)),
		number("Work.Sigma", w.Sigma, 0, 5),
		number("Work.Share", w.Share, 0, 1),
		number("Work.Times", w.Times, 1, 1000),
	)
}

func (c Class) validate() error {
	return first(
		whole("Count", c.Count, 0, 100_000),
		whole("Workers", c.Workers, 1, 10_000),
		whole("Limit", c.Limit, 0, 1_000_000),
		within("RetryAfter", c.RetryAfter, 0, time.Hour),
		whole("Hop", c.Hop, 0, mostHops),
		whole("Weight", c.Weight, 0, 10_000),
		within("From", c.From, 0, 24*time.Hour),
		c.Admission.validate(),
		c.Condition.validate(),
		c.Pauses.validate("Pauses"),
		c.Neighbours.validate("Neighbours"),
	)
}

func (c Condition) validate() error {
	return first(
		number("Slow", c.Slow, 0.001, 1e6),
		number("Fails", c.Fails, 0, 1),
		number("Loses", c.Loses, 0, 1),
		number("Stalls", c.Stalls, 0, 1),
		number("StallsBy", c.StallsBy, 0, 1e6),
	)
}

func (s Spell) validate(name string) error {
	if s.Every == 0 {
		return nil
	}
	return first(
		within(name+".Every", s.Every, time.Millisecond, 24*time.Hour),
		within(name+".For", s.For, 0, s.Every),
		number(name+".Slow", s.Slow, 0, 1e6),
	)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func bad(field string, value, allowed any) error {
	return fmt.Errorf("%s is %v: allowed is %v", field, value, allowed)
}

func within(field string, d, least, most time.Duration) error {
	if d < least || d > most {
		return bad(field, d, fmt.Sprintf("%v to %v", least, most))
	}
	return nil
}

func whole(field string, n, least, most int) error {
	if n < least || n > most {
		return bad(field, n, fmt.Sprintf("%d to %d", least, most))
	}
	return nil
}

func number(field string, f, least, most float64) error {
	if math.IsNaN(f) || f < least || f > most {
		return bad(field, f, fmt.Sprintf("%g to %g", least, most))
	}
	return nil
}
