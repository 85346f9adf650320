package faults_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/caller"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
	"github.com/fairlead-go/fairlead/rule"
)

// ruled is the usual setup with a caller whose calls rules will narrow.
func ruled(s *scene) {
	s.usual()
	settings := s.calling(s.via(s.callerLink))
	settings.Narrowed = true
	s.caller = caller.Start(s, settings)
	s.caller.Learn()
	s.caller.Load()
	s.within(0, "a live list of all", s.sees(instances))
}

// rule writes the document of the service and returns its revision.
func (s *scene) rule(text string) int64 {
	s.Helper()
	return s.ruleOf(service, text)
}

func (s *scene) ruleOf(service, text string) int64 {
	s.Helper()
	r, err := s.store.Put(s.Context(), etcd.DefaultPrefix+"rules/"+service, text)
	if err != nil {
		s.Fatal(err)
	}
	return r.Header.Revision
}

// policy is a document about the instances with these IDs, as the subset some.
func (s *scene) policy(route rule.Route, ids ...string) string {
	s.Helper()
	spec := rule.Spec{Routes: []rule.Route{route}}
	for _, id := range ids {
		spec.Subsets = append(spec.Subsets, rule.Subset{Name: "some", Labels: map[string]string{"id": id}})
	}
	return s.marshalled(spec)
}

// marshalled is the document of the service that says so.
func (s *scene) marshalled(spec rule.Spec) string {
	s.Helper()
	spec.Service = service
	text, err := json.Marshal(rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: spec})
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

// document is a document of the service with some fields of its spec, as they
// stand there.
func document(fields string) string { return documentOf(service, fields) }

func documentOf(service, fields string) string {
	return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"spec":{"service":%q,%s}}`, rule.APIVersion, rule.Kind, service, fields)
}

// only is a route to the subset some.
func only() rule.Route {
	return rule.Route{Name: "only", Route: []rule.Destination{{Subset: "some", Weight: 100}}}
}

func (s *scene) rules() fleet.Rules {
	s.Helper()
	seen, _ := s.caller.Status().Service()
	return seen.Rules
}

// applied waits until the caller goes by a revision.
func (s *scene) applied(revision int64) time.Duration {
	s.Helper()
	return s.within(time.Second, "the rule in force", func() bool { return s.rules().Revision == revision })
}

// refused waits until the caller has refused a revision.
func (s *scene) refused(revision int64) {
	s.Helper()
	s.within(time.Second, "the rule refused", func() bool { return s.rules().RefusedRevision == revision })
}

// only says that calls which began between two moments went to one instance.
func (s *scene) onlyTo(id string, from, to time.Time) {
	s.Helper()
	calls, others := 0, 0
	for _, c := range s.history.Calls {
		if c.Start < s.history.Moment(from) || c.Start >= s.history.Moment(to) {
			continue
		}
		calls++
		if slices.ContainsFunc(c.Attempts, func(a history.Attempt) bool { return a.Instance != id }) {
			others++
		}
	}
	s.figure("calls under the last good rule", calls)
	if calls < 100 || others > 0 {
		s.Errorf("of %d calls under a rule for %s, %d went elsewhere", calls, id, others)
	}
}

// badRule: what is wrong is refused as a whole and shown, the last good one
// stays, and the mended one is in force within a second.
var badRule = row{
	number: 35, fault: "bad rule",
	setup: ruled,
	inject: func(s *scene) {
		s.victim = s.anyone()
		good := s.policy(only(), s.victim.ID)
		s.applied(s.rule(good))
		s.broken = time.Now()
		for _, text := range []string{
			good[:len(good)-1],
			"",
			"apiVersion: fairlead/v1alpha1",
			strings.Replace(good, `"spec":{`, `"spec":{"timeuot":"1s",`, 1),
			strings.Replace(good, `"spec":{`, `"spec":{"timeout":"-1s",`, 1),
			strings.Replace(good, `"spec":{`, `"spec":{"timeout":NaN,`, 1),
			strings.Replace(good, `"spec":{`, `"spec":{"retries":{"maxAttempts":-1},`, 1),
			strings.Replace(good, `"spec":{`, `"spec":{"loadBalancer":{"algorithm":"fastest"},`, 1),
			strings.Replace(good, `"weight":100`, `"weight":1e2`, 1),
			strings.Replace(good, `"subset":"some"`, `"subset":"none"`, 1),
			strings.Replace(good, `"service":"orders"`, `"service":"users"`, 1),
		} {
			s.refused(s.rule(text))
		}
		if r := s.rules(); r.Refusals != 11 || r.Revision == 0 || r.Refused == "" || !r.Live {
			s.Errorf("the caller shows %+v", r)
		}
	},
	heal: func(s *scene) {
		s.figure("mended after", s.applied(s.rule(s.policy(rule.Route{Name: "all"}))))
	},
	check: func(s *scene) {
		s.noneFailed()
		s.onlyTo(s.victim.ID, s.broken, s.mended)
	},
}

// hugeRule: what is too large is refused without being read, and whoever writes
// as fast as he can keeps nobody busy.
var hugeRule = row{
	number: 35, fault: "huge rule",
	setup: ruled,
	inject: func(s *scene) {
		var conditions strings.Builder
		for n := range 9_000 {
			fmt.Fprintf(&conditions, `{"method":"M%d"},`, n)
		}
		route := `{"match":[` + strings.TrimSuffix(conditions.String(), ",") + `]}`
		whole := s.policy(rule.Route{Name: "all"})
		for _, text := range []string{
			strings.Replace(whole, `"spec":{`, `"spec":{"routes":[`+route+`],`, 1),          // conditions
			strings.Replace(whole, `"kind"`, strings.Repeat(" ", 1<<20)+`"kind"`, 1),        // bytes
			strings.Repeat(`{"spec":`, 10_000) + "1" + strings.Repeat("}", 10_000),          // depth
			strings.Replace(whole, `"all"`, `"`+strings.Repeat("x", rule.MaxText+1)+`"`, 1), // one text
		} {
			s.refused(s.rule(text))
		}
		before, began, writes := s.rules().Refusals, time.Now(), 0
		var last int64
		for time.Since(began) < 5*time.Second {
			last = s.rule("{}")
			writes++
		}
		s.refused(last)
		taken := s.rules().Refusals - before
		s.figure("written per second", writes/5)
		s.figure("taken in per second", float64(taken)/5)
		if taken > 5*10*slack {
			s.Errorf("%d documents were taken in in 5 s", taken)
		}
		s.figure("p99 before", s.scale.warm)
	},
	check: func(s *scene) {
		s.noneFailed()
		s.figures[len(s.figures)-1].value = s.quantile(0.99, s.broken.Add(-s.scale.warm), s.broken).String()
		s.figure("p99 under the writes", s.quantile(0.99, s.broken, s.mended))
	},
}

// deadlyRule: what is valid and would stop all calls does not.
var deadlyRule = row{
	number: 36, fault: "deadly rule",
	setup: ruled,
	inject: func(s *scene) {
		nobody := only()
		named := only()
		named.Fallback = "some"
		s.applied(s.rule(s.policy(nobody, "nobody")))
		s.sleep(time.Second)
		s.applied(s.rule(s.policy(named, "nobody")))
		s.sleep(time.Second)
		for _, text := range []string{
			s.policy(rule.Route{Timeout: 1}),                                                 // a nanosecond
			s.policy(rule.Route{Route: []rule.Destination{{Weight: 0}}}),                     // weight 0 everywhere
			s.policy(rule.Route{Route: []rule.Destination{{Subset: "some"}}}, s.anyone().ID), // the same of a subset
		} {
			s.refused(s.rule(text))
		}
	},
	check: func(s *scene) {
		s.noneFailed()
	},
}

// deletedRule: what code set holds again.
var deletedRule = row{
	number: 37, fault: "rule deleted",
	setup: ruled,
	inject: func(s *scene) {
		s.victim = s.anyone()
		s.applied(s.rule(s.policy(only(), s.victim.ID)))
		s.broken = time.Now()
		s.sleep(time.Second)
	},
	hold: func(s *scene) {},
	heal: func(s *scene) {
		if _, err := s.store.Delete(s.Context(), etcd.DefaultPrefix+"rules/"+service); err != nil {
			s.Fatal(err)
		}
		s.figure("gone after", s.within(time.Second, "no rule", func() bool { r := s.rules(); return r.Revision == 0 && r.Live }))
	},
	recovered: func(s *scene) { s.sleep(2 * time.Second) },
	check: func(s *scene) {
		s.noneFailed()
		s.onlyTo(s.victim.ID, s.broken, s.mended)
		called := map[string]bool{}
		for _, c := range s.history.Calls {
			if c.Start > s.history.Moment(s.mended)+time.Second {
				for _, a := range c.Attempts {
					called[a.Instance] = true
				}
			}
		}
		if len(called) < instances/2 {
			s.Errorf("without a rule, only %d instances are called", len(called))
		}
	},
}

// hostileMetadata: what an instance says of itself harms neither its calls nor
// those to others, though rules look at it.
var hostileMetadata = row{
	number: 39, fault: "hostile metadata",
	setup: ruled,
	inject: func(s *scene) {
		// Each takes the place of an instance, whose address it has.
		s.aliases = map[string]string{}
		record := func(id string, meta map[string]string) string {
			text, err := json.Marshal(meta)
			if err != nil {
				s.Fatal(err)
			}
			is := s.fleet.Running()[len(s.aliases)]
			s.aliases[id] = is.ID
			return fmt.Sprintf(`{"Op":0,"Addr":%q,"Metadata":{"id":%q,"service":%q,"endpoints":[{"protocol":"http","addr":%q}],"meta":%s}}`, is.Addr, id, service, is.Addr, text)
		}
		many := map[string]string{}
		for n := range 10_000 {
			many[fmt.Sprint("key-", n)] = "x"
		}
		records := map[string]string{
			"crlf":      record("crlf", map[string]string{"lane": "a\r\nX-Evil: 1"}),
			"nul":       record("nul", map[string]string{"lane": "a\x00b"}),
			"non-utf-8": strings.Replace(record("non-utf-8", map[string]string{"lane": "§"}), "§", "\xff\xfe", 1),
			"many":      record("many", many),
			"large":     record("large", map[string]string{"lane": strings.Repeat("x", 1<<20)}),
			"names":     record("names", map[string]string{"__proto__": "x", "constructor": "x", "id": "x", "": "x", "a b\n": "x"}),
		}
		s.put(records)
		lane := s.policy(rule.Route{Name: "all"})
		s.applied(s.rule(strings.Replace(lane, `"spec":{`, `"spec":{"lane":{"label":"lane","key":"header:x-lane"},`, 1)))
		var seen fleet.Service
		s.within(0, "all records heard", func() bool {
			seen, _ = s.caller.Status().Service()
			heard := seen.Refused
			for _, n := range seen.Instances {
				if _, ok := records[n.ID]; ok {
					heard++
				}
			}
			return heard == len(records)
		})
		s.figure("refused records", seen.Refused)
		s.figure("dropped entries", seen.Dropped)
		if seen.Refused == 0 || seen.Dropped == 0 {
			s.Errorf("%d records were refused and %d entries dropped", seen.Refused, seen.Dropped)
		}
	},
	heal: func(s *scene) { s.revoke() },
	recovered: func(s *scene) {
		s.within(0, "the ten alone", s.sees(instances))
	},
	check: func(s *scene) {
		s.noneFailed()
	},
}
