package rule

import (
	"cmp"
	"fmt"
	"maps"
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
	c.header(p.APIVersion, p.Kind, Kind, p.Metadata)
	c.spec(p.Spec)
	return c.problems
}

// Validate is that of [Policy].
func (s Settings) Validate() error {
	if all := s.problems(); len(all) > 0 {
		return all
	}
	return nil
}

func (s Settings) problems() Problems {
	c := checker{}
	c.header(s.APIVersion, s.Kind, SettingsKind, s.Metadata)
	c.off("spec.off", s.Spec.Off)
	for _, service := range slices.Sorted(maps.Keys(s.Spec.Services)) {
		at := key("spec.services", service)
		if discovery.ValidateService(service) != nil {
			c.bad(at, "", "allowed is the name of a service, in lower case as in DNS")
		}
		c.off(at+".off", s.Spec.Services[service].Off)
	}
	return c.problems
}

func (c *checker) header(version, kind, want string, m Metadata) {
	if version != APIVersion {
		c.bad("apiVersion", quote(version), "allowed is "+APIVersion)
	}
	if kind != want {
		c.bad("kind", quote(kind), "allowed is "+want)
	}
	c.labels("metadata.labels", m.Labels)
	c.brief("metadata.name", m.Name)
}

func (c *checker) off(field string, names []string) {
	for n, name := range names {
		c.oneOf(fmt.Sprintf("%s[%d]", field, n), cmp.Or(name, " "), featureNames()...)
	}
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
	c.most("spec.filters", len(s.Filters), MaxFilters)
	for n, f := range s.Filters {
		c.filter(fmt.Sprintf("spec.filters[%d]", n), f)
	}
	if l := s.Lane; l != nil {
		if l.Label == "" || len(l.Label) > MaxText {
			c.bad("spec.lane.label", quote(l.Label), fmt.Sprintf("allowed are 1 to %d bytes", MaxText))
		}
		c.property("spec.lane.key", l.Key)
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
	c.most("spec", c.conditions, MaxConditions, "conditions")
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
