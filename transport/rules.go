package transport

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/interrupt"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// WithRules adds sources of rules. The registry, where it is a source, comes
// first, then these in their order: of all documents of a service the first
// holds, as a whole, and before all that other options set.
func WithRules(sources ...rule.Source) Option {
	return func(o *options) { o.rules = append(o.rules, sources...) }
}

// RuleReporter is a registry that shows operators which rules this process goes
// by. It must not wait for anything. The refused revision is 0 where none is;
// else reason says why.
type RuleReporter interface {
	ReportRules(service string, applied, refused int64, reason string)
}

// hasRules reports whether there is a source of rules at all.
func (m *Mesh) hasRules() bool {
	_, ok := m.registry.(rule.Source)
	return ok || len(m.options.rules) > 0
}

// rulesOf returns the sources of a service's rules as one.
func (m *Mesh) rulesOf(s *service) rule.Source { return m.rulesFrom(s.ruling.kept) }

// rulesFrom returns the sources of rules as one, the registry's beginning with what
// is kept of it.
func (m *Mesh) rulesFrom(k *kept) rule.Source {
	var layers rule.Layers
	if r, ok := m.registry.(rule.Source); ok {
		layers = append(layers, keptRules{r, k})
	}
	layers = append(layers, m.options.rules...)
	if len(layers) == 1 {
		return layers[0]
	}
	return layers
}

// ruling is what is in force of the rules of a service. It is guarded by
// service.mu.
type ruling struct {
	standing  rule.Standing
	trouble   error       // why the source cannot be heard
	table     *rule.Table // what the settings leave of standing.Table
	balancing balancingRules
	unheeded  []string // what they ask for in vain
	level     Level
	breakers  *breakers
	limits    *limits
	plans     plans
	kept      *kept // set before the rules are followed
	refusals  int64 // documents that are not in force because they are wrong
}

// balancingRules are the sections of a document that say how instances are
// chosen.
type balancingRules struct {
	loadBalancer     rule.LoadBalancer
	outlierDetection *rule.OutlierDetection
}

// obey follows the rules of one service. It ends with the mesh.
func (m *Mesh) obey(s *service) {
	var pace pace
	for d, err := range m.rulesOf(s).Rules(m.ctx, s.name) {
		pace.keep(m.ctx)
		m.hear(s, d, err)
	}
}

// pace keeps documents apart.
type pace struct{ last time.Duration }

// keep waits for the turn of the next one. Most need not wait.
func (p *pace) keep(ctx context.Context) {
	if left := p.last + ruleInterval - balancer.Now(); p.last != 0 && left > 0 {
		interrupt.Pause(ctx, left)
	}
	p.last = balancer.Now()
}

// ruleInterval is the least time from one document to the next: whoever writes
// them in a loop does not keep every process busy. Of those that come meanwhile
// the last counts.
const ruleInterval = 100 * time.Millisecond

// hear takes in what a source says of the rules of a service.
func (m *Mesh) hear(s *service, d rule.Document, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.ruling.standing
	s.ruling.standing, s.ruling.trouble = before.Next(d), err
	now := &s.ruling.standing
	if now.Table != before.Table {
		m.ruleLocked(s)
	}
	m.logRules(s.name, before, *now)
	if now.Refused != nil && now.RefusedRevision != before.RefusedRevision {
		s.ruling.refusals++
	}
	if r, ok := m.registry.(RuleReporter); ok && (now.Revision != before.Revision || now.RefusedRevision != before.RefusedRevision) {
		reason := ""
		if now.Refused != nil {
			reason = now.Refused.Error()
		}
		applied, refused := now.Revision, now.RefusedRevision
		if now.Origin != registryOrigin { // of another source, whose numbers say nothing there
			applied = 0
		}
		if now.RefusedOrigin != registryOrigin {
			refused, reason = 0, ""
		}
		r.ReportRules(s.name, applied, refused, reason)
	}
}

// registryOrigin is that of the documents whose revisions operators know.
const registryOrigin = "etcd"

func (m *Mesh) logRules(service string, before, now rule.Standing) {
	switch {
	case now.Refused != nil && (before.Refused == nil || now.RefusedRevision != before.RefusedRevision):
		m.logger.Warn("fairlead: rules were refused, the last good ones stay", "service", service,
			"origin", now.RefusedOrigin, "refused", now.RefusedRevision, "revision", now.Revision, "error", now.Refused)
	case now.Table != nil && (now.Revision != before.Revision || now.Origin != before.Origin):
		m.logger.Info("fairlead: rules are in force", "service", service, "origin", now.Origin, "revision", now.Revision)
	case now.Table == nil && before.Table != nil:
		m.logger.Warn("fairlead: rules were deleted, what code set holds again", "service", service, "revision", before.Revision)
	}
}

// ruleLocked puts the rules of a service in force, as far as the settings let
// it.
func (m *Mesh) ruleLocked(s *service) {
	r := &s.ruling
	table, err := m.under(s.name, r.standing.Table, r.table)
	if err != nil {
		return
	}
	r.table = table
	m.planLocked(s, table)
	spec := rule.Spec{}
	if table != nil {
		spec = table.Policy.Spec
	}
	r.level = levelOf(spec.Telemetry.Level, m.options.level)
	s.counts.on.Store(r.level != Off)
	m.budgetLocked(s, spec.Retries.Budget)

	before := s.pool.View()
	b := balancingOf(&spec, m.options.pool.Balancing)
	if asked := (balancingRules{spec.LoadBalancer, spec.OutlierDetection}); !reflect.DeepEqual(r.balancing, asked) {
		r.balancing = asked
		if _, err := s.pool.Balance(b, balancer.Now()); err != nil { // cannot be: it was validated
			m.logger.Error("fairlead: rules cannot be applied", "service", s.name, "error", err)
		}
	}
	m.checkLocked(s, spec.HealthCheck)
	unheeded := append(m.options.unheeded(&spec, b), s.quotas.unheeded()...)
	if len(unheeded) > 0 && !slices.Equal(unheeded, r.unheeded) {
		m.logger.Warn("fairlead: rules ask for what this process cannot do", "service", s.name, "unheeded", unheeded)
	}
	r.unheeded = unheeded
	m.turnLocked(s, before, s.pool.Renew())
}

// under returns what the settings leave of the rules of a service, which may be nil,
// in the place of those before.
func (m *Mesh) under(service string, table, before *rule.Table) (*rule.Table, error) {
	settings := m.settings.Load().settings
	if !settings.Concern(service) {
		return table, nil
	}
	policy := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: service}}
	if table != nil {
		policy = table.Policy
	}
	left, err := rule.Compile(settings.Apply(policy), before)
	if err != nil { // cannot be: a part of what is valid is valid
		m.logger.Error("fairlead: settings cannot be applied", "service", service, "error", err)
	}
	return left, err
}

// planLocked makes the plans of calls under a table, which may be nil. What is the
// same as before keeps its state.
func (m *Mesh) planLocked(s *service, table *rule.Table) {
	r, asked := &s.ruling, m.options.breaker
	if table != nil && table.Breaker != nil {
		asked = table.Breaker
	}
	r.breakers = newBreakers(s, asked, r.breakers)
	s.quotas.renewLocked(sharedLimits(table))
	r.limits = m.options.limitsOf(table, s.pool.View(), r.limits, func(is rule.LimitTable) *ratelimit.Bucket { return s.quotas.bucket(is.Name) })
	m.gatewayLocked(s, table)
	r.plans = m.options.plansOf(s.name, table, r.breakers, r.limits, s.gateway)
	s.methods.renew(r.plans)
}

// sharedLimits are the limits of a table, which may be nil, that all clients share.
func sharedLimits(table *rule.Table) map[string]ratelimit.RateConfig {
	var shared map[string]ratelimit.RateConfig
	if table == nil {
		return nil
	}
	for _, l := range table.Limits {
		if l.Shared {
			if shared == nil {
				shared = map[string]ratelimit.RateConfig{}
			}
			shared[l.Name] = l.Config
		}
	}
	return shared
}

// steerLocked makes the course of the view and the rules at hand.
func (s *service) steerLocked() {
	r := &s.ruling
	c, now := &course{service: s, view: s.pool.View(), table: r.table, plans: r.plans, level: r.level}, balancer.Now()
	c.takeOver(s.course.Load(), now)
	s.course.Store(c)
	s.asked.forget(now)
}

// levelOf is what is measured where the rules ask for some level. What code
// turned off stays off.
func levelOf(asked string, code Level) Level {
	if code == Off {
		return Off
	}
	for level, name := range levelNames {
		if name == asked {
			return Level(level)
		}
	}
	return code
}
