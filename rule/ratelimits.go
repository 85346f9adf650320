package rule

import (
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/internal/document"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// RateLimit is how many calls there may be in a time, see [ratelimit.RateConfig].
type RateLimit struct {
	// Name tells it from the others, and is what refused calls and metrics say. What
	// was counted stays when a document changes, as long as the limit has the same
	// name, match and per.
	Name string `json:"name"`
	// Match is how calls look that it counts: like one of these. None: any.
	Match []Match `json:"match,omitempty"`
	// Rate is how many there may be: "200/s", "10/m" or "3000/h".
	Rate Rate `json:"rate"`
	// Burst is how many may come at once. 0: as many as in a second, and at least
	// one.
	Burst int `json:"burst,omitempty"`
	// Per is what has the rate for itself: "service", each "method", "caller", "key"
	// or "class", which is a priority, or each value of "header:NAME". Calls without
	// a value have one together. Empty: "service".
	Per string `json:"per,omitempty"`
	// MaxKeys is of how many callers, keys or values it keeps count; those beyond
	// have one rate together. 0: 10 000.
	MaxKeys int `json:"maxKeys,omitempty"`
	// Wait is how long a call may wait for its turn, within its own deadline, up to
	// a minute. 0: it is refused at once.
	Wait Duration `json:"wait,omitzero"`
	// Scope is who has the rate: each "process", or all processes together, where it
	// is "shared". That is only for a rate per service, and not for servers. Empty:
	// "process".
	Scope string `json:"scope,omitempty"`
}

var limitScopes = [...]string{"process", "shared"}

// LimitTable is a [RateLimit] ready for use. It is immutable.
type LimitTable struct {
	Counting
	Config ratelimit.RateConfig
	Wait   time.Duration // 0: a call is refused at once
	Shared bool          // by all processes
}

func limitTables(all []RateLimit) []LimitTable {
	if all == nil {
		return nil
	}
	tables := make([]LimitTable, len(all))
	for n, l := range all {
		tables[n] = LimitTable{
			Counting: newCounting(l.Name, l.Per, l.Match), Config: ratelimit.RateConfig{Rate: l.Rate.PerSecond(), Burst: l.Burst, MaxKeys: l.MaxKeys},
			Wait: time.Duration(l.Wait), Shared: l.Scope == "shared",
		}
	}
	return tables
}

func (d *decoder) rateLimit(n *document.Node, l *RateLimit) {
	d.object(n, l, func(name string, v *document.Node) bool {
		switch name {
		case "name":
			d.text(v, &l.Name)
		case "match":
			each(d, v, &l.Match, (*decoder).match)
		case "rate":
			d.callRate(v, &l.Rate)
		case "burst":
			d.int(v, &l.Burst)
		case "per":
			d.text(v, &l.Per)
		case "maxKeys":
			d.int(v, &l.MaxKeys)
		case "wait":
			d.duration(v, &l.Wait)
		case "scope":
			d.text(v, &l.Scope)
		default:
			return false
		}
		return true
	})
}

// limits judges a list of them. side says what clients and servers may not.
func (c *checker) limits(all []RateLimit, side func(*RateLimit)) {
	c.most("limits", len(all), MaxLimits)
	for n := range all {
		l := &all[n]
		c.in("limits", n)
		c.ownName(l.Name, slices.ContainsFunc(all[:min(n, MaxLimits)], func(e RateLimit) bool { return e.Name == l.Name }))
		c.matches(l.Match)
		c.callRate("rate", l.Rate)
		c.whole("burst", l.Burst, 0, ratelimit.MaxBurst)
		c.whole("maxKeys", l.MaxKeys, 0, ratelimit.MostKeys)
		if per, _, ok := perOf(l.Per); ok && !per.keyed() && l.MaxKeys != 0 {
			c.badField("maxKeys", strconv.Itoa(l.MaxKeys), "allowed only beside per: caller, key or header:NAME")
		}
		c.turn(l.Wait)
		side(l)
		c.out()
	}
}

func (c *checker) clientLimit(l *RateLimit) {
	c.per(l.Per, PerService, PerMethod, PerCaller, PerKey, PerClass, PerHeader)
	c.oneOf("scope", l.Scope, limitScopes[:]...)
	if per, _, ok := perOf(l.Per); ok && l.Scope == "shared" && per != PerService {
		c.badField("scope", `"shared"`, "allowed only beside per: service")
	}
}

// turn judges how long a call may wait for its turn.
func (c *checker) turn(wait Duration) {
	if wait != 0 {
		c.between("wait", wait, MinTimeout, ratelimit.MostWait)
	}
}
