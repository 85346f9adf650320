package transport

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// Dump is all that a mesh knows, for people and tools; it marshals to JSON.
type Dump struct {
	Services      []ServiceDump                 `json:"services"`
	Registrations []discovery.RegistrationState `json:"registrations"`
	// Thaws counts how often the process was found to have been frozen. Only a
	// mesh whose registry is a [Refresher] looks.
	Thaws uint64 `json:"thaws,omitempty"`
	// Settings are those of the registry, if it has any.
	Settings *SettingsDump `json:"settings,omitempty"`
	// UnsavedDocuments counts the saves of rules, settings and numbers of clients
	// to disk that failed, see [WithSnapshotDir].
	UnsavedDocuments int64 `json:"unsavedDocuments,omitempty"`
	// SharedBudgetRemaining is how many retries all services together could make
	// right now.
	SharedBudgetRemaining int `json:"sharedBudgetRemaining"`
	// CallbackPanics count those of the code that was handed in, by which: judge,
	// observer, fallback. UnobservedEvents counts the events that the observer was
	// too slow for.
	CallbackPanics   map[string]int64 `json:"callbackPanics,omitempty"`
	UnobservedEvents int64            `json:"unobservedEvents,omitempty"`
	// Admissions are what servers of this process take on.
	Admissions []AdmissionDump `json:"admissions,omitempty"`
	// Registry is what the registry says of itself, if it says anything.
	Registry any `json:"registry,omitempty"`
}

// ServiceDump is one service that was called.
type ServiceDump struct {
	Service  string          `json:"service"`
	State    discovery.State `json:"state"` // of the list
	Revision int64           `json:"revision"`
	// Age is how long ago the registry was last heard, 0 while the list is
	// live.
	Age      time.Duration `json:"ageNs"`
	Trouble  string        `json:"trouble,omitempty"` // the registry's last complaint
	Snapshot *SnapshotDump `json:"snapshot,omitempty"`
	Rules    *RulesDump    `json:"rules,omitempty"`  // nil: there is no source of rules
	Health   *HealthDump   `json:"health,omitempty"` // nil: nobody is probed
	// SharedLimits are the parts of limits that all clients share.
	SharedLimits []SharedLimitDump `json:"sharedLimits,omitempty"`
	Instances    []NodeDump        `json:"instances"`
	// Connections are those of gRPC clients; nil: there never was one.
	Connections *Connections `json:"connections,omitempty"`
	// Refused counts malformed records, Dropped metadata left out of others,
	// Ignored unix endpoints that may not be used here, and Forbidden those of
	// an address that may not be called.
	Refused    int                 `json:"refused,omitempty"`
	Refusals   []discovery.Refusal `json:"refusals,omitempty"`
	Dropped    int                 `json:"dropped,omitempty"`
	Drops      []discovery.Refusal `json:"drops,omitempty"`
	Ignored    int                 `json:"ignored,omitempty"`
	Forbidden  int                 `json:"forbidden,omitempty"`
	Violations []discovery.Refusal `json:"violations,omitempty"` // why endpoints are forbidden
	// ForbiddenSockets counts connections that were not made, or closed
	// unused, because their address may not be called.
	ForbiddenSockets int64 `json:"forbiddenSockets,omitempty"`
	// Held counts the instances that are called although they vanished from
	// the list, HeldUntil is when that ends at the latest while the registry
	// is heard. Preserved counts all that ever were.
	Held      int                `json:"held,omitempty"`
	HeldUntil time.Time          `json:"heldUntil,omitzero"`
	Preserved balancer.Preserved `json:"preserved"`
	// Choices say how an instance is chosen, by protocol; "" is that of all that
	// are not named. Selections say the same of calls that rules narrow down to some
	// of the instances. Ejections count how often instances began to be passed over,
	// by reason.
	Choices    map[discovery.Protocol]ChoiceDump `json:"choices,omitempty"`
	Selections []SelectionDump                   `json:"selections,omitempty"`
	Ejections  map[string]int64                  `json:"ejections,omitempty"`
	// Waiting counts the calls that wait for an instance now, Unrefreshed the
	// refreshes after a freeze that failed.
	Waiting     int64            `json:"waiting,omitempty"`
	Unrefreshed int64            `json:"unrefreshed,omitempty"`
	Attempts    map[string]int64 `json:"attempts"` // by outcome
	// LateTimeouts counts the timeouts among them that this process noticed late,
	// for want of CPU or because it was stopped. No instance is charged with them.
	LateTimeouts int64 `json:"lateTimeouts,omitempty"`
	// RefusedReports counts what instances said of their load and could not be
	// read.
	RefusedReports      int64 `json:"refusedReports,omitempty"`
	Retries             int64 `json:"retries"`
	BudgetRemaining     int   `json:"budgetRemaining"`
	BulkBudgetRemaining int   `json:"bulkBudgetRemaining"` // of sheddable calls
	BudgetRefused       int64 `json:"budgetRefused"`
	AttemptsDump
	// Limits is nil where nothing bounds the calls.
	Limits *LimitsDump `json:"limits,omitempty"`
	// Gateway is nil where calls never go to one.
	Gateway *GatewayDump `json:"gateway,omitempty"`
}

// NodeDump is one instance with what its calls showed.
type NodeDump struct {
	ID       string `json:"id"`
	Addr     string `json:"addr"`
	Zone     string `json:"zone,omitempty"`
	Version  string `json:"version,omitempty"`
	Weight   int    `json:"weight"`
	Draining bool   `json:"draining,omitempty"`
	Unwell   bool   `json:"unwell,omitempty"` // as health checks say
	// Held says that the instance vanished from the list at HeldSince and is
	// called nevertheless, see [balancer.Protection].
	Held      bool           `json:"held,omitempty"`
	HeldSince time.Time      `json:"heldSince,omitzero"`
	Stats     balancer.Stats `json:"stats"`
	// Outage is why the instance is passed over for a while, nil if it is not.
	Outage *OutageDump `json:"outage,omitempty"`
}

// OutageDump says why an instance is passed over.
type OutageDump struct {
	Reason balancer.Reason `json:"reason"`
	Since  time.Time       `json:"since"`
	// Until is when one call may be sent as a probe; zero, and left out, where it
	// ends when health checks say so.
	Until time.Time `json:"until,omitzero"`
	Times int       `json:"times"` // in a row
	// Probing says that the time has come.
	Probing bool `json:"probing,omitempty"`
}

// Stater is a registry that can say how it is, for [Mesh.Dump].
type Stater interface {
	State() any
}

// Dump reads the state of everything. It disturbs no call.
func (m *Mesh) Dump() Dump {
	d := Dump{
		Registrations: m.registered(), Services: []ServiceDump{},
		SharedBudgetRemaining: m.budget.Remaining(balancer.Now()), CallbackPanics: m.callbacks.panics(),
	}
	if o := m.observing; o != nil {
		d.UnobservedEvents = o.dropped.Load()
	}
	services := *m.services.Load()
	for _, name := range slices.Sorted(maps.Keys(services)) {
		d.Services = append(d.Services, services[name].dump())
	}
	for _, a := range m.admitted() {
		d.Admissions = append(d.Admissions, a.Dump())
	}
	d.UnsavedDocuments = m.keeper.documentFailures()
	if m.pulse != nil {
		d.Thaws = m.pulse.found()
	}
	if _, ok := m.registry.(SettingsSource); ok {
		d.Settings = m.settings.Load().dump()
	}
	if r, ok := m.registry.(Stater); ok {
		d.Registry = r.State()
	}
	return d
}

func (s *service) dump() ServiceDump {
	now := balancer.Now()
	view := s.pool.View()
	d := ServiceDump{
		Service:          s.name,
		State:            view.Snapshot.State,
		Revision:         view.Snapshot.Revision,
		Age:              staleness(view.Snapshot),
		Instances:        make([]NodeDump, 0, len(view.Nodes)),
		Refused:          view.Snapshot.Refused,
		Refusals:         view.Snapshot.Refusals,
		Dropped:          view.Snapshot.Dropped,
		Drops:            view.Snapshot.Drops,
		Ignored:          view.Ignored,
		Forbidden:        view.Forbidden,
		Violations:       view.Violations,
		ForbiddenSockets: s.counts.forbidden.Load(),
		Snapshot:         s.disk.dump(),
		Rules:            s.dumpRules(),
		Health:           s.dumpHealth(),
		SharedLimits:     s.quotas.dump(),
		Connections:      s.connections.dump(),
		Held:             view.Held,
		Preserved:        view.Preserved,
		Waiting:          s.waiting.Load(),
		Unrefreshed:      s.counts.unrefreshed.Load(),
		Attempts:         map[string]int64{},
		LateTimeouts:     s.counts.late.Load(),
		RefusedReports:   s.counts.misreported.Load(),
		Retries:          s.counts.retries.Load(),
		BudgetRemaining:  s.budget.Remaining(now),
		BudgetRefused:    s.counts.unaffordable.Load(),

		BulkBudgetRemaining: s.bulk.Remaining(now),
		AttemptsDump:        s.dumpAttempts(),
		Limits:              s.dumpLimits(),
		Gateway:             s.dumpGateway(),
	}
	if view.Held > 0 {
		d.HeldUntil = wall(view.HeldUntil)
	}
	if trouble := s.trouble.Load(); trouble != nil {
		d.Trouble = (*trouble).Error()
	}
	for class := range Class(numberOfClasses) {
		d.Attempts[class.String()] = s.counts.attempts(class)
	}
	for p, c := range view.Choices() {
		if d.Choices == nil {
			d.Choices = map[discovery.Protocol]ChoiceDump{}
		}
		d.Choices[p] = dumpChoice(view.Policy(), c)
	}
	d.Selections = s.course.Load().dumpSelections()
	for reason, count := range view.Ejections.All() {
		if count > 0 && d.Ejections == nil {
			d.Ejections = map[string]int64{}
		}
		if count > 0 {
			d.Ejections[reason.String()] = count
		}
	}
	outages := map[*balancer.Node]*OutageDump{}
	for _, o := range view.Outages {
		d := &OutageDump{Reason: o.Reason, Since: wall(o.Since), Times: o.Times, Probing: o.Probing}
		if o.Until != 0 {
			d.Until = wall(o.Until)
		}
		outages[o.Node] = d
	}
	for _, n := range view.Nodes {
		i := n.Instance()
		node := NodeDump{
			ID: i.ID, Addr: i.Addr, Zone: i.Zone, Version: i.Version, Draining: i.Draining, Unwell: n.Unwell(),
			Weight: cmp.Or(i.Weight, discovery.DefaultWeight), Stats: n.Stats(now), Outage: outages[n],
		}
		if since, held := n.Held(); held {
			node.Held, node.HeldSince = true, wall(since)
		}
		d.Instances = append(d.Instances, node)
	}
	return d
}
