package rule

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (c *checker) route(field string, r Route) {
	c.brief(field+".name", r.Name)
	for n, m := range r.Match {
		c.match(fmt.Sprintf("%s.match[%d]", field, n), m)
	}
	sum := 0
	for n, o := range r.Route {
		at := fmt.Sprintf("%s.route[%d]", field, n)
		if o.Subset != "" {
			c.known(at+".subset", o.Subset)
		}
		if o.Weight < 0 || o.Weight > 100 {
			c.bad(at+".weight", strconv.Itoa(o.Weight), "allowed is 0 to 100")
		}
		sum += o.Weight
	}
	if len(r.Route) > 0 && sum != 100 {
		c.bad(field+".route", "of weights that add up to "+strconv.Itoa(sum), "allowed is 100")
	}
	if r.Fallback != "" {
		c.known(field+".fallback", r.Fallback)
	}
	if r.Strict && r.Fallback != "" {
		c.bad(field+".strict", "true", "allowed is false beside a fallback")
	}
	if r.HashOn != "" {
		c.property(field+".hashOn", r.HashOn)
	}
	c.timeout(field+".timeout", r.Timeout)
	c.attempts(field+".retries.maxAttempts", r.Retries.MaxAttempts)
	if m := r.Mirror; m != nil {
		if m.Subset != "" {
			c.known(field+".mirror.subset", m.Subset)
		}
		c.some(field+".mirror.percent", m.Percent)
	}
	if r.Fault != nil {
		c.fault(field+".fault", *r.Fault)
	}
}

func (c *checker) fault(field string, f Fault) {
	if f.Delay == nil && f.Abort == nil {
		c.bad(field, "", "at least one of delay and abort is needed")
	}
	if d := f.Delay; d != nil {
		if d.FixedDelay == 0 {
			c.bad(field+".delay.fixedDelay", "0s", fmt.Sprintf("allowed is %s to %s", MinTimeout, MaxDelay))
		} else if t := time.Duration(d.FixedDelay); t < MinTimeout || t > MaxDelay {
			c.bad(field+".delay.fixedDelay", d.FixedDelay.String(), fmt.Sprintf("allowed is %s to %s", MinTimeout, MaxDelay))
		}
		c.some(field+".delay.percent", d.Percent)
	}
	if a := f.Abort; a != nil {
		if a.HTTPStatus != 0 && (a.HTTPStatus < 400 || a.HTTPStatus > 599) {
			c.bad(field+".abort.httpStatus", strconv.Itoa(a.HTTPStatus), "allowed is 400 to 599")
		}
		c.oneOf(field+".abort.grpcStatus", a.GRPCStatus, grpcStatuses[:]...)
		c.some(field+".abort.percent", a.Percent)
	}
}

// grpcStatuses are the codes of gRPC that an error can have.
var grpcStatuses = [...]string{
	"CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func (c *checker) filter(field string, f Filter) {
	c.brief(field+".name", f.Name)
	for n, m := range f.Match {
		c.match(fmt.Sprintf("%s.match[%d]", field, n), m)
	}
	if len(f.Keep)+len(f.Drop) == 0 {
		c.bad(field, "", "at least one of keep and drop is needed")
	}
	for _, of := range [...]struct {
		name   string
		labels map[string]Text
	}{{"keep", f.Keep}, {"drop", f.Drop}} {
		c.texts(field+"."+of.name, of.labels)
	}
}

// property checks what names something of a call.
func (c *checker) property(field, text string) {
	of, name, ok := strings.Cut(text, ":")
	if text != "key" && !(ok && name != "" && len(text) <= MaxText && slices.Contains([]string{"header", "query", "baggage"}, of)) {
		c.bad(field, quote(text), `allowed are "header:NAME", "query:NAME", "baggage:NAME" and "key"`)
	}
}

// some checks a share that would be left out if it were none.
func (c *checker) some(field string, p Percent) {
	if p <= 0 || p > 100_00 {
		c.bad(field, p.String(), "allowed is 0.01% to 100%")
	}
}

func (c *checker) texts(field string, texts map[string]Text) {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		at := key(field, name)
		if name == "" || len(name) > MaxText {
			c.bad(at, "", fmt.Sprintf("allowed is a name of 1 to %d bytes", MaxText))
		}
		c.text(at, texts[name])
	}
}

func (c *checker) match(field string, m Match) {
	if m.Method != "" {
		c.conditions++
		c.brief(field+".method", m.Method)
	}
	if m.Path != nil {
		c.text(field+".path", *m.Path)
	}
	if m.Caller != nil {
		c.text(field+".caller", *m.Caller)
	}
	folded := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		if other, twice := folded[strings.ToLower(name)]; twice {
			c.bad(key(field+".headers", name), "", "case does not matter, and "+quote(other)+" is there as well")
		}
		folded[strings.ToLower(name)] = name
	}
	c.texts(field+".headers", m.Headers)
	c.texts(field+".query", m.Query)
	c.texts(field+".baggage", m.Baggage)
}

func (c *checker) text(field string, t Text) {
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
		c.bad(field, "", "exactly one of exact, prefix, regex and present is needed, and not empty")
	}
	c.brief(field+".exact", t.Exact)
	c.brief(field+".prefix", t.Prefix)
	if t.Regex != "" {
		if _, err := pattern(t.Regex); err != nil {
			c.bad(field+".regex", quote(t.Regex), err.Error())
		}
	}
}
