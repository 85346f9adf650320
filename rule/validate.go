package rule

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/document"
)

// Validate reports all that is wrong, as [Problems]. It is for policies made in
// code; [Decode] has done it.
func (p Policy) Validate() error {
	if all := p.problems(); len(all) > 0 {
		return all
	}
	return nil
}

func (p Policy) problems() Problems {
	c := checker{subsets: map[string]bool{}}
	if p.APIVersion != APIVersion {
		c.bad("apiVersion", quote(p.APIVersion), "allowed is "+APIVersion)
	}
	if p.Kind != Kind {
		c.bad("kind", quote(p.Kind), "allowed is "+Kind)
	}
	c.labels("metadata.labels", p.Metadata.Labels)
	c.brief("metadata.name", p.Metadata.Name)
	c.spec(p.Spec)
	return c.problems
}

// checker collects problems.
type checker struct {
	problems   Problems
	subsets    map[string]bool // that are defined
	conditions int
}

func (c *checker) bad(field, value, allowed string) {
	c.problems.add(document.Position{}, field, value, allowed)
}

func (c *checker) spec(s Spec) {
	if discovery.ValidateService(s.Service) != nil {
		c.bad("spec.service", quote(s.Service), "allowed is the name of a service, in lower case as in DNS")
	}
	c.most("spec.subsets", len(s.Subsets), MaxSubsets)
	for n, subset := range s.Subsets {
		c.subset(fmt.Sprintf("spec.subsets[%d]", n), subset)
	}
	c.most("spec.routes", len(s.Routes), MaxRoutes)
	names := map[string]bool{}
	for n, r := range s.Routes {
		field := fmt.Sprintf("spec.routes[%d]", n)
		if r.Name != "" && names[r.Name] {
			c.bad(field+".name", quote(r.Name), "allowed is a name that no other route has")
		}
		names[r.Name] = true
		c.route(field, r)
	}
	c.most("spec.routes", c.conditions, MaxConditions, "conditions")
	c.timeout("spec.timeout", s.Timeout)
	c.attempts("spec.retries.maxAttempts", s.Retries.MaxAttempts)
	if n := s.Retries.Budget.MinPerSecond; n < 0 || n > 10_000 {
		c.bad("spec.retries.budget.minPerSecond", strconv.Itoa(n), "allowed is 0 (what code said) to 10000")
	}
	if r := s.Retries.Budget.Ratio; r < 0 || r > 100_00 {
		c.bad("spec.retries.budget.ratio", r.String(), "allowed is 0% (what code said) to 100%")
	}
	c.oneOf("spec.loadBalancer.algorithm", s.LoadBalancer.Algorithm, "p2c-ewma", "least-request", "round-robin")
	c.oneOf("spec.telemetry.level", s.Telemetry.Level, "off", "metrics", "full")
}

func (c *checker) subset(field string, s Subset) {
	if s.Name == "" || len(s.Name) > MaxText {
		c.bad(field+".name", quote(s.Name), fmt.Sprintf("allowed are 1 to %d bytes", MaxText))
	} else if c.subsets[s.Name] {
		c.bad(field+".name", quote(s.Name), "allowed is a name that no other subset has")
	}
	c.subsets[s.Name] = true
	if len(s.Labels) == 0 {
		c.bad(field+".labels", "", "at least one is needed; a destination without a subset is all instances")
	}
	c.labels(field+".labels", s.Labels)
}

func (c *checker) labels(field string, labels map[string]string) {
	c.most(field, len(labels), MaxLabels)
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name == "" || len(name) > MaxText {
			c.bad(key(field, name), "", fmt.Sprintf("allowed is a name of 1 to %d bytes", MaxText))
		}
		c.brief(key(field, name), labels[name])
	}
}

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
	if r.HashOn != "" && !validHashOn(r.HashOn) {
		c.bad(field+".hashOn", quote(r.HashOn), `allowed are "header:NAME", "query:NAME", "baggage:NAME" and "key"`)
	}
	c.timeout(field+".timeout", r.Timeout)
	c.attempts(field+".retries.maxAttempts", r.Retries.MaxAttempts)
}

func validHashOn(text string) bool {
	of, name, ok := strings.Cut(text, ":")
	return text == "key" || ok && name != "" && len(text) <= MaxText && slices.Contains([]string{"header", "query", "baggage"}, of)
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
	for _, of := range [...]struct {
		name  string
		texts map[string]Text
	}{{"headers", m.Headers}, {"query", m.Query}, {"baggage", m.Baggage}} {
		for _, name := range slices.Sorted(maps.Keys(of.texts)) {
			at := key(field+"."+of.name, name)
			if name == "" || len(name) > MaxText {
				c.bad(at, "", fmt.Sprintf("allowed is a name of 1 to %d bytes", MaxText))
			}
			if of.name == "headers" {
				if other, twice := folded[strings.ToLower(name)]; twice {
					c.bad(at, "", "case does not matter, and "+quote(other)+" is there as well")
				}
				folded[strings.ToLower(name)] = name
			}
			c.text(at, of.texts[name])
		}
	}
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
		if err := checkPattern(t.Regex); err != nil {
			c.bad(field+".regex", quote(t.Regex), err.Error())
		}
	}
}

func (c *checker) known(field, subset string) {
	if !c.subsets[subset] {
		c.bad(field, quote(subset), "allowed is the name of one of the subsets")
	}
}

func (c *checker) brief(field, text string) {
	if len(text) > MaxText {
		c.bad(field, fmt.Sprintf("of %d bytes", len(text)), fmt.Sprintf("at most %d are allowed", MaxText))
	}
}

func (c *checker) most(field string, n, most int, of ...string) {
	if n > most {
		c.bad(field, strings.TrimSpace(fmt.Sprintf("of %d %s", n, strings.Join(of, ""))), fmt.Sprintf("at most %d are allowed", most))
	}
}

func (c *checker) timeout(field string, d Duration) {
	if t := time.Duration(d); t != 0 && (t < MinTimeout || t > MaxTimeout) {
		c.bad(field, d.String(), fmt.Sprintf("allowed is %s to %s", MinTimeout, MaxTimeout))
	}
}

func (c *checker) attempts(field string, n int) {
	if n < 0 || n > MaxAttempts {
		c.bad(field, strconv.Itoa(n), fmt.Sprintf("allowed is 0 (what code said) to %d, the first attempt among them", MaxAttempts))
	}
}

func (c *checker) oneOf(field, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.bad(field, quote(value), "allowed are "+strings.Join(allowed, ", "))
	}
}

// mostRepeats bounds what a pattern's repetitions multiply to: RE2 is linear in
// the subject, and the factor is the size of the program.
const mostRepeats = 100

// checkPattern says why a pattern is not allowed.
func checkPattern(pattern string) error {
	if len(pattern) > MaxText {
		return fmt.Errorf("at most %d bytes are allowed", MaxText)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("no regular expression of package regexp: %w", err)
	}
	if n := repeats(parsed); n > mostRepeats {
		return fmt.Errorf("its repetitions multiply to %d, at most %d are allowed", n, mostRepeats)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("no regular expression of package regexp: %w", err)
	}
	return nil
}

// repeats is the most that nested counted repetitions multiply to.
func repeats(r *syntax.Regexp) int {
	most := 1
	for _, sub := range r.Sub {
		most = max(most, repeats(sub))
	}
	if r.Op == syntax.OpRepeat {
		most *= max(r.Min, r.Max, 1)
	}
	return min(most, 1_000_000)
}
