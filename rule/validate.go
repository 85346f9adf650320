package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Validate reports all that is wrong, as [Problems]. It is for policies made in
// code; [Decode] has done it.
func (p Policy) Validate() error { return p.check().err() }

func (p Policy) check() walk {
	c := checker{}
	c.header(p.APIVersion, p.Kind, Kind, p.Metadata)
	c.field("spec")
	c.spec(&p.Spec)
	return c.walk
}

// Validate is that of [Policy].
func (s Settings) Validate() error { return s.check().err() }

func (s Settings) check() walk {
	c := checker{}
	c.header(s.APIVersion, s.Kind, SettingsKind, s.Metadata)
	c.field("spec")
	c.off(s.Spec.Off)
	c.field("services")
	for _, service := range sorted(s.Spec.Services) {
		c.key(service)
		if discovery.ValidateService(service) != nil {
			c.bad("", "allowed is the name of a service, in lower case as in DNS")
		}
		c.off(s.Spec.Services[service].Off)
		c.back()
	}
	return c.walk
}

// err is what was found wrong, as an error.
func (w walk) err() error {
	if len(w.problems) == 0 {
		return nil
	}
	return w.problems
}

// checker judges what a document says. Its methods that take the name of a
// field judge that field of what is here.
type checker struct {
	walk
	service    string
	subsets    []Subset // that are known
	conditions int
	steps      int // of patterns
}

// sorted lists the names of a map, for problems to come in the same order each
// time.
func sorted[T any](m map[string]T) []string {
	switch len(m) {
	case 0:
		return nil
	case 1:
		for name := range m {
			return []string{name}
		}
	}
	return slices.Sorted(maps.Keys(m))
}

func (c *checker) header(version, kind, want string, m Metadata) {
	if version != APIVersion {
		c.badField("apiVersion", quote(version), "allowed is "+APIVersion)
	}
	if kind != want {
		c.badField("kind", quote(kind), "allowed is "+want)
	}
	c.field("metadata")
	c.labels(m.Labels)
	c.brief("name", m.Name)
	c.back()
}

func (c *checker) spec(s *Spec) {
	c.service = s.Service
	if discovery.ValidateService(s.Service) != nil {
		c.badField("service", quote(s.Service), "allowed is the name of a service, in lower case as in DNS")
	}
	c.most("subsets", len(s.Subsets), MaxSubsets)
	for n := range s.Subsets {
		c.in("subsets", n)
		c.subset(s.Subsets[n], s.Subsets[:n], "a destination without a subset is all instances")
		c.out()
	}
	c.subsets = s.Subsets
	c.most("filters", len(s.Filters), MaxFilters)
	for n := range s.Filters {
		c.in("filters", n)
		c.filter(&s.Filters[n])
		c.out()
	}
	if s.Lane != nil {
		c.field("lane")
		c.lane(s.Lane)
		c.back()
	}
	c.most("routes", len(s.Routes), MaxRoutes)
	all := s.terms()
	for n := range s.Routes {
		c.in("routes", n)
		c.route(&s.Routes[n], s.Routes[:min(n, MaxRoutes)])
		c.terms(s.Routes[n].terms(), all)
		c.out()
	}
	c.limits(s.Limits, c.clientLimit)
	c.concurrency(s.Concurrency, PerService, PerMethod, PerClass, PerInstance)
	if s.Throttle != nil {
		c.throttle(s.Throttle)
	}
	if s.Server != nil {
		c.server(s.Server)
	}
	if c.conditions > MaxConditions {
		c.bad(fmt.Sprintf("of %d conditions", c.conditions), fmt.Sprintf("at most %d are allowed", MaxConditions))
	}
	if s.Gateway != nil {
		c.gateway(s.Gateway)
	}
	c.terms(all, terms{})
	c.field("retries")
	c.budget(s.Retries.Budget)
	c.back()
	if s.CircuitBreaker != nil {
		c.circuitBreaker(s.CircuitBreaker)
	}
	c.outcomes(s.Outcomes)
	c.loadBalancer(&s.LoadBalancer)
	if s.OutlierDetection != nil {
		c.outlierDetection(s.OutlierDetection)
	}
	if s.HealthCheck != nil {
		c.healthCheck(s.HealthCheck)
	}
	c.field("telemetry")
	c.oneOf("level", s.Telemetry.Level, "off", "metrics", "full")
	c.back()
}

// in goes to an item of a list, and out comes back.
func (c *checker) in(list string, n int) { c.field(list); c.item(n) }
func (c *checker) out()                  { c.back(); c.back() }

func (c *checker) off(names []string) {
	c.field("off")
	for n, name := range names {
		c.item(n)
		if !slices.ContainsFunc(features[:], func(f feature) bool { return f.name == name }) {
			c.bad(quote(name), "allowed are "+strings.Join(Features(), ", "))
		}
		c.back()
	}
	c.back()
}

// subset judges one of several. Without says what no labels would mean.
func (c *checker) subset(s Subset, earlier []Subset, without string) {
	c.ownName(s.Name, slices.ContainsFunc(earlier, func(e Subset) bool { return e.Name == s.Name }))
	if len(s.Labels) == 0 {
		c.badField("labels", "", "at least one is needed; "+without)
	}
	c.labels(s.Labels)
}

// ownName judges the name of one of several, which may be taken.
func (c *checker) ownName(name string, taken bool) {
	switch {
	case name == "" || len(name) > MaxText:
		c.badField("name", quote(name), fmt.Sprintf("allowed are 1 to %d bytes", MaxText))
	case taken:
		c.badField("name", quote(name), "allowed is a name that none before it has")
	}
}

func (c *checker) labels(labels map[string]string) {
	c.most("labels", len(labels), MaxLabels)
	c.field("labels")
	for _, name := range sorted(labels) {
		c.key(name)
		c.name(name)
		if text := labels[name]; len(text) > MaxText {
			c.long(text)
		}
		c.back()
	}
	c.back()
}

// name judges a name that is the document's own.
func (c *checker) name(name string) {
	if name == "" || len(name) > MaxText {
		c.bad("", fmt.Sprintf("allowed is a name of 1 to %d bytes", MaxText))
	}
}

func (c *checker) long(text string) {
	c.bad(fmt.Sprintf("of %d bytes", len(text)), fmt.Sprintf("at most %d are allowed", MaxText))
}

func (c *checker) brief(field, text string) {
	if len(text) > MaxText {
		c.field(field)
		c.long(text)
		c.back()
	}
}

func (c *checker) most(field string, n, most int) {
	if n > most {
		c.badField(field, fmt.Sprintf("of %d", n), fmt.Sprintf("at most %d are allowed", most))
	}
}

func (c *checker) timeout(field string, d Duration) {
	if d != 0 {
		c.between(field, d, MinTimeout, MaxTimeout)
	}
}

func (c *checker) between(field string, d Duration, least, most time.Duration) {
	if t := time.Duration(d); t < least || t > most {
		c.badField(field, d.String(), fmt.Sprintf("allowed is %s to %s", least, most))
	}
}

// ratio judges a share that is above none, where it is said.
func (c *checker) ratio(field string, p Percent) {
	if p < 0 || p > 100_00 {
		c.badField(field, p.String(), "allowed is 0.01% to 100%")
	}
}

func (c *checker) oneOf(field, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.badField(field, quote(value), "allowed are "+strings.Join(allowed, ", "))
	}
}

// property judges what names something of a call.
func (c *checker) property(field, text string) {
	of, name, ok := strings.Cut(text, ":")
	if text != "key" && !(ok && name != "" && len(text) <= MaxText && (of == "header" || of == "cookie" || of == "query" || of == "baggage")) {
		c.badField(field, quote(text), `allowed are "header:NAME", "cookie:NAME", "query:NAME", "baggage:NAME" and "key"`)
	}
}

// share judges a share that would be left out if it were none.
func (c *checker) share(p Percent) {
	if p <= 0 || p > 100_00 {
		c.badField("percent", p.String(), "allowed is 0.01% to 100%")
	}
}

func (c *checker) lane(l *Lane) {
	if l.Label == "" || len(l.Label) > MaxText {
		c.badField("label", quote(l.Label), fmt.Sprintf("allowed are 1 to %d bytes", MaxText))
	}
	c.property("key", l.Key)
}

func (c *checker) filter(f *Filter) {
	c.brief("name", f.Name)
	c.matches(f.Match)
	if len(f.Keep)+len(f.Drop) == 0 {
		c.bad("", "at least one of keep and drop is needed")
	}
	c.texts("keep", f.Keep)
	c.texts("drop", f.Drop)
}

func (c *checker) known(field, subset string) {
	if !slices.ContainsFunc(c.subsets, func(s Subset) bool { return s.Name == subset }) {
		c.badField(field, quote(subset), "allowed is the name of one of the subsets")
	}
}
