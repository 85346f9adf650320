package rule

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/internal/document"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Concurrency is how many calls there may be in flight, see
// [ratelimit.ConcurrencyConfig]. Exactly one of max and adaptive is set.
type Concurrency struct {
	// Name is as that of a [RateLimit].
	Name string `json:"name"`
	// Match is how calls look that it counts: like one of these. None: any.
	Match []Match `json:"match,omitempty"`
	// Max is how many there may be.
	Max int `json:"max,omitempty"`
	// Per is what has the limit for itself: "service", each "method" or "class",
	// which is a priority, or each "instance". An instance at its limit is passed
	// over; there is at most one such limit, and none at servers. Empty: "service".
	Per string `json:"per,omitempty"`
	// Wait is how long a call may wait for its turn, within its own deadline, up to
	// a minute. 0: it is refused at once.
	Wait Duration `json:"wait,omitzero"`
	// Adaptive learns the limit from how long calls take.
	Adaptive *Adaptive `json:"adaptive,omitempty"`
}

// Adaptive bounds a limit that is learned, see [ratelimit.AdaptiveConfig].
type Adaptive struct {
	Min     int `json:"min,omitempty"`     // the least it may become; 0: 4, per instance 1
	Max     int `json:"max,omitempty"`     // the most it may become; 0: 1000
	Initial int `json:"initial,omitempty"` // what it begins with; 0: 20, per instance 4, within min and max
}

// ConcurrencyTable is a [Concurrency] ready for use. It is immutable.
type ConcurrencyTable struct {
	Counting
	Config ratelimit.ConcurrencyConfig
}

func concurrencyTables(all []Concurrency) []ConcurrencyTable {
	if all == nil {
		return nil
	}
	tables := make([]ConcurrencyTable, len(all))
	for n, l := range all {
		tables[n] = ConcurrencyTable{newCounting(l.Name, l.Per, l.Match), ratelimit.ConcurrencyConfig{Max: l.Max, MaxWait: time.Duration(l.Wait)}}
		if a := l.Adaptive; a != nil {
			tables[n].Config.Adaptive = &ratelimit.AdaptiveConfig{Min: a.Min, Max: a.Max, Initial: a.Initial}
		}
	}
	return tables
}

func (d *decoder) concurrency(n *document.Node, l *Concurrency) {
	d.object(n, l, func(name string, v *document.Node) bool {
		switch name {
		case "name":
			d.text(v, &l.Name)
		case "match":
			each(d, v, &l.Match, (*decoder).match)
		case "max":
			d.int(v, &l.Max)
		case "per":
			d.text(v, &l.Per)
		case "wait":
			d.duration(v, &l.Wait)
		case "adaptive":
			some(d, v, &l.Adaptive, (*decoder).adaptive)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) adaptive(n *document.Node, a *Adaptive) {
	d.object(n, a, func(name string, v *document.Node) bool {
		switch name {
		case "min":
			d.int(v, &a.Min)
		case "max":
			d.int(v, &a.Max)
		case "initial":
			d.int(v, &a.Initial)
		default:
			return false
		}
		return true
	})
}

// concurrency judges a list of them.
func (c *checker) concurrency(all []Concurrency, per ...Scope) {
	c.most("concurrency", len(all), MaxConcurrency)
	instances := 0
	for n := range all {
		l := &all[n]
		c.in("concurrency", n)
		c.ownName(l.Name, slices.ContainsFunc(all[:min(n, MaxConcurrency)], func(e Concurrency) bool { return e.Name == l.Name }))
		c.matches(l.Match)
		if (l.Max == 0) == (l.Adaptive == nil) {
			c.bad("", "exactly one of max and adaptive is needed")
		}
		if l.Max != 0 {
			c.whole("max", l.Max, 1, ratelimit.MostInFlight)
		}
		c.per(l.Per, per...)
		c.turn(l.Wait)
		if l.Per == PerInstance.String() && slices.Contains(per, PerInstance) {
			if instances++; instances > 1 {
				c.badField("per", `"instance"`, "allowed once")
			}
			if len(l.Match) > 0 {
				c.badField("match", "", "not allowed beside per: instance, which counts all calls")
			}
			if l.Wait != 0 {
				c.badField("wait", l.Wait.String(), "not allowed beside per: instance, where a call goes to another one instead")
			}
		}
		if l.Adaptive != nil {
			c.adaptive(l.Adaptive, l.Per == PerInstance.String())
		}
		c.out()
	}
}

// adaptive judges as [ratelimit.AdaptiveConfig] does.
func (c *checker) adaptive(a *Adaptive, atClient bool) {
	c.field("adaptive")
	found := len(c.problems)
	c.whole("min", a.Min, 0, ratelimit.MostInFlight)
	c.whole("max", a.Max, 0, ratelimit.MostInFlight)
	c.whole("initial", a.Initial, 0, ratelimit.MostInFlight)
	if len(c.problems) == found {
		c.within(a, atClient)
	}
	c.back()
}

// within judges whether what is learned has room, and begins there.
func (c *checker) within(a *Adaptive, atClient bool) {
	is := ratelimit.AdaptiveConfig{Min: a.Min, Max: a.Max, Initial: a.Initial}
	if atClient {
		is = is.AtClient()
	}
	is = is.WithDefaults()
	least, most := is.Min, is.Max
	switch {
	case most < least:
		c.badField("max", strconv.Itoa(most), fmt.Sprintf("allowed is no less than min, which is %d", least))
	case a.Initial != 0 && (a.Initial < least || a.Initial > most):
		c.badField("initial", strconv.Itoa(a.Initial), fmt.Sprintf("allowed is %d to %d, as min and max say", least, most))
	}
}
