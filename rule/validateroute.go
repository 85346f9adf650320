package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (c *checker) route(r *Route, earlier []Route) {
	c.brief("name", r.Name)
	if r.Name != "" && slices.ContainsFunc(earlier, func(e Route) bool { return e.Name == r.Name }) {
		c.badField("name", quote(r.Name), "allowed is a name that no other route has")
	}
	c.matches(r.Match)
	sum := 0
	for n, o := range r.Route {
		c.in("route", n)
		if o.Subset != "" {
			c.known("subset", o.Subset)
		}
		if o.Weight < 0 || o.Weight > 100 {
			c.badField("weight", strconv.Itoa(o.Weight), "allowed is 0 to 100")
		}
		sum += o.Weight
		c.out()
	}
	if len(r.Route) > 0 && sum != 100 {
		c.badField("route", "of weights that add up to "+strconv.Itoa(sum), "allowed is 100")
	}
	if r.Fallback != "" {
		c.known("fallback", r.Fallback)
	}
	if r.Strict && r.Fallback != "" {
		c.badField("strict", "true", "allowed is false beside a fallback")
	}
	if r.HashOn != "" {
		c.property("hashOn", r.HashOn)
	}
	if m := r.Mirror; m != nil {
		c.field("mirror")
		if m.Subset != "" {
			c.known("subset", m.Subset)
		}
		c.share(m.Percent)
		c.back()
	}
	if r.Fault != nil {
		c.field("fault")
		c.fault(r.Fault)
		c.back()
	}
}

func (c *checker) fault(f *Fault) {
	if f.Delay == nil && f.Abort == nil {
		c.bad("", "at least one of delay and abort is needed")
	}
	if d := f.Delay; d != nil {
		c.field("delay")
		c.between("fixedDelay", d.FixedDelay, MinTimeout, MaxDelay)
		c.share(d.Percent)
		c.back()
	}
	if a := f.Abort; a != nil {
		c.field("abort")
		if a.HTTPStatus != 0 && (a.HTTPStatus < 400 || a.HTTPStatus > 599) {
			c.badField("httpStatus", strconv.Itoa(a.HTTPStatus), "allowed is 400 to 599")
		}
		c.oneOf("grpcStatus", a.GRPCStatus, grpcStatuses[:]...)
		c.share(a.Percent)
		c.back()
	}
}

func (c *checker) matches(all []Match) {
	for n := range all {
		c.in("match", n)
		c.match(&all[n])
		c.out()
	}
}

func (c *checker) match(m *Match) {
	if m.Method != "" {
		c.conditions++
		c.brief("method", m.Method)
	}
	if m.Path != nil {
		c.field("path")
		c.text(*m.Path)
		c.back()
	}
	if m.Caller != nil {
		c.field("caller")
		c.text(*m.Caller)
		c.back()
	}
	c.texts("headers", m.Headers)
	c.texts("query", m.Query)
	c.texts("baggage", m.Baggage)
	if len(m.Headers) < 2 {
		return
	}
	folded := map[string]string{}
	for _, name := range sorted(m.Headers) {
		lower := strings.ToLower(name)
		if other, twice := folded[lower]; twice {
			c.field("headers")
			c.key(name)
			c.bad("", "case does not matter, and "+quote(other)+" is there as well")
			c.out()
		}
		folded[lower] = name
	}
}

func (c *checker) texts(field string, texts map[string]Text) {
	if len(texts) == 0 {
		return
	}
	c.field(field)
	for _, name := range sorted(texts) {
		c.key(name)
		c.name(name)
		c.text(texts[name])
		c.back()
	}
	c.back()
}

func (c *checker) text(t Text) {
	c.conditions++
	set := 0
	for _, s := range [...]string{t.Exact, t.Prefix, t.Regex} {
		if s != "" {
			set++
		}
	}
	if t.Present {
		set++
	}
	if set != 1 {
		c.bad("", "exactly one of exact, prefix, regex and present is needed, and not empty")
	}
	c.brief("exact", t.Exact)
	c.brief("prefix", t.Prefix)
	if t.Regex != "" {
		if c.steps > MaxSteps { // and said so: the rest is not worth the time
			return
		}
		_, steps, err := pattern(t.Regex)
		c.steps += steps
		switch {
		case err != nil:
			c.badField("regex", quote(t.Regex), err.Error())
		case c.steps > MaxSteps:
			c.badField("regex", quote(t.Regex), fmt.Sprintf("the patterns up to here have some %d steps, at most %d are allowed in a document", c.steps, MaxSteps))
		}
	}
}
