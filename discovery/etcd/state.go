package etcd

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// State is what a registry knows of itself: everything that may be wrong with
// it and since when. It is for people and metrics; its JSON may grow.
type State struct {
	Endpoints []string `json:"endpoints"`
	Prefix    string   `json:"prefix"`
	// Reads is the connection of lists and watches, Lease that of heartbeats
	// and registrations.
	Reads   ReadState    `json:"reads"`
	Lease   LeaseState   `json:"lease"`
	Watches []WatchState `json:"watches"`
	// Documents are those that somebody follows: rules, and the settings.
	Documents []DocumentState `json:"documents,omitempty"`
	// Clients are the services whose clients somebody watches.
	Clients       []ClientsState                `json:"clients,omitempty"`
	Registrations []discovery.RegistrationState `json:"registrations"`
	// Caller is the service in whose name this process is shown at those it
	// watches; empty: it is not shown.
	Caller string `json:"caller,omitempty"`
}

// ReadState says whether etcd answers reads.
type ReadState struct {
	// Connected is false before the first watch, too.
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"`
	// Heard is when etcd last proved that it answers. There is a proof every
	// half minute at least.
	Heard time.Time `json:"heard,omitzero"`
	Error string    `json:"error,omitempty"`
}

// LeaseState says whether etcd holds this process to be alive.
type LeaseState struct {
	ID  string        `json:"id,omitempty"` // in hex; empty: none
	TTL time.Duration `json:"ttlNanos"`
	// Heartbeat is when etcd last confirmed the lease.
	Heartbeat time.Time `json:"heartbeat,omitzero"`
	// Grants counts the leases so far; each but the first replaced a lost one.
	Grants int    `json:"grants"`
	Error  string `json:"error,omitempty"`
}

// WatchState is what is known of one watched service.
type WatchState struct {
	Service string          `json:"service"`
	State   discovery.State `json:"state"`
	// Phase is what is being done: "waiting" for etcd to answer, "listing",
	// "watching", or "unauthorised": etcd refuses, and is asked again now and
	// then.
	Phase    string    `json:"phase"`
	Since    time.Time `json:"since"` // of State
	Revision int64     `json:"revision"`
	// AsOf is when etcd was last known to say this. While the list is live,
	// each proof of the connection counts.
	AsOf      time.Time `json:"asOf,omitzero"`
	Instances int       `json:"instances"`
	// Hidden counts records whose address a younger instance has.
	Hidden  int `json:"hidden,omitempty"`
	Refused int `json:"refused,omitempty"`
	// Surplus counts instances passed over because there are too many.
	Surplus int `json:"surplus,omitempty"`
	// Overrides are the operator's words by instance ID, those that are over
	// and those about nobody, too. OverridesRefused says of others why they are
	// skipped, OverridesError why none can be read.
	Overrides        map[string]Override `json:"overrides,omitempty"`
	OverridesRefused map[string]string   `json:"overridesRefused,omitempty"`
	OverridesError   string              `json:"overridesError,omitempty"`
	// Lists counts how often all keys were read; Readers the iterators.
	Lists   int    `json:"lists"`
	Readers int    `json:"readers"`
	Error   string `json:"error,omitempty"`
}

// DocumentState is what is known of one document.
type DocumentState struct {
	Key      string `json:"key"`
	Revision int64  `json:"revision,omitempty"` // of its last write; 0: there is none
	Bytes    int    `json:"bytes,omitempty"`
	Live     bool   `json:"live"` // etcd vouches for it
	Readers  int    `json:"readers"`
	Error    string `json:"error,omitempty"`
}

// ClientsState is what is known of the clients of one service.
type ClientsState struct {
	Service string          `json:"service"`
	State   discovery.State `json:"state"`
	// Phase is as in a [WatchState].
	Phase    string    `json:"phase"`
	Since    time.Time `json:"since"` // of State
	Revision int64     `json:"revision"`
	AsOf     time.Time `json:"asOf,omitzero"` // when etcd was last known to say this
	// Clients is how many there are. Beyond counts those of them of which no more
	// is known, since there are too many, and Refused the malformed records, which
	// are none.
	Clients int    `json:"clients"`
	Beyond  int    `json:"beyond,omitempty"`
	Refused int    `json:"refused,omitempty"`
	Lists   int    `json:"lists"` // how often all keys were read
	Readers int    `json:"readers"`
	Error   string `json:"error,omitempty"`
}

// State is [Registry.Inspect] for those to whom the registry is one of several
// kinds, such as the debug dump of a mesh.
func (r *Registry) State() any { return r.Inspect() }

// Inspect returns what is known right now. It can be called at any time.
func (r *Registry) Inspect() State {
	s := State{
		Endpoints: slices.Clone(r.config.Client.Endpoints),
		Prefix:    r.keys.prefix,
		Reads:     r.link.state(),
		Watches:   []WatchState{},
	}
	s.Lease, s.Registrations, s.Caller = r.supervisor.state()
	r.mu.Lock()
	for _, service := range slices.Sorted(maps.Keys(r.feeds)) {
		f := r.feeds[service]
		w := f.watchState()
		w.Readers = f.readers
		s.Watches = append(s.Watches, w)
	}
	for _, key := range slices.Sorted(maps.Keys(r.documents)) {
		s.Documents = append(s.Documents, r.documents[key].stateLocked())
	}
	for _, service := range slices.Sorted(maps.Keys(r.clients)) {
		s.Clients = append(s.Clients, r.clients[service].stateLocked())
	}
	r.mu.Unlock()
	return s
}

// stateLocked is called under Registry.mu.
func (f *documentFeed) stateLocked() DocumentState {
	latest := f.report.Load()
	return DocumentState{
		Key: f.key, Revision: latest.document.Revision, Bytes: len(latest.document.Text),
		Live: latest.document.Live, Readers: f.readers, Error: message(latest.err),
	}
}

// stateLocked is called under Registry.mu.
func (f *clientFeed) stateLocked() ClientsState {
	heard := f.heard()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := ClientsState{
		Service: f.service, State: f.state, Phase: phases[f.records.phase.Load()], Since: f.since, Revision: f.revision, AsOf: f.asOf,
		Clients: f.clients.number(), Beyond: f.clients.beyond, Refused: len(f.clients.refused), Lists: f.lists, Readers: f.readers, Error: message(f.err),
	}
	if f.state == discovery.Live && heard.After(s.AsOf) {
		s.AsOf = heard
	}
	return s
}

func (l *link) state() ReadState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ReadState{Connected: l.session != nil, Since: l.since, Heard: l.heard, Error: message(l.err)}
}

func (f *feed) watchState() WatchState {
	latest, heard := f.latest(), f.heard()
	f.mu.Lock()
	defer f.mu.Unlock()
	w := WatchState{
		Service:   f.service,
		State:     f.state,
		Since:     f.since,
		Revision:  f.revision,
		AsOf:      f.asOf,
		Instances: len(latest.snapshot.Instances),
		Refused:   latest.snapshot.Refused,
		Lists:     f.lists,
		Error:     message(f.err),
		Hidden:    f.instances.hidden(),
		Surplus:   f.instances.surplus + f.instances.flood,
		Overrides: maps.Clone(f.overrides.written),

		OverridesError: message(f.overrides.err),
	}
	if f.records != nil {
		w.Phase = phases[f.records.phase.Load()]
	}
	for id, err := range f.overrides.refusals {
		if w.OverridesRefused == nil {
			w.OverridesRefused = map[string]string{}
		}
		w.OverridesRefused[id] = err.Error()
	}
	if f.state == discovery.Live && heard.After(w.AsOf) {
		w.AsOf = heard
	}
	return w
}

func (s *supervisor) state() (LeaseState, []discovery.RegistrationState, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lease := LeaseState{TTL: s.ttl, Heartbeat: s.beat, Grants: s.leases, Error: message(s.trouble)}
	if s.lease != 0 {
		lease.ID = leaseName(s.lease)
	}
	all := make([]discovery.RegistrationState, 0, len(s.registrations))
	for _, r := range s.registrations {
		all = append(all, r.stateLocked())
	}
	slices.SortFunc(all, func(a, b discovery.RegistrationState) int {
		return strings.Compare(a.Service+"/"+a.ID, b.Service+"/"+b.ID)
	})
	return lease, all, s.presence.caller
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
