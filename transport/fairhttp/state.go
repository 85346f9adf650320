package fairhttp

import "sync/atomic"

// State is what a [Transport] knows of its connections; it marshals to JSON.
// What the mesh knows is in [transport.Mesh.Dump].
type State struct {
	// Shared says that all instances are called through the one base that was
	// given, which keeps the connections.
	Shared bool `json:"shared"`
	// Instances is how many have connections of their own.
	Instances int `json:"instances"`
	// Attempts counts governed requests given to a base.
	Attempts int64 `json:"attempts"`
	// Connections counts those made for them, as far as the base traces them.
	Connections int64 `json:"connections"`
	// Replays counts what net/http sent again by itself, on the same instance
	// and within one attempt.
	Replays int64 `json:"replays"`
	// Renewals counts connection pools replaced for their age, or because
	// nothing came back over HTTP/2.
	Renewals int64 `json:"renewals"`
	// Churning says that more than a fifth of the attempts needed a new
	// connection: the idle pool is too small or the servers keep nothing open.
	Churning bool `json:"churning"`
}

// totals count over all leaves that ever were: what is rare, and the attempts
// of those that are no more.
type totals struct {
	attempts, connections, replays, renewals atomic.Int64
}

// State reads the counters. It disturbs no call.
func (t *Transport) State() State {
	s := State{
		Shared:      t.shared != nil,
		Connections: t.totals.connections.Load(),
		Replays:     t.totals.replays.Load(),
		Renewals:    t.totals.renewals.Load(),
		Churning:    t.churning.Load(),
		Attempts:    t.totals.attempts.Load(),
	}
	for _, service := range *t.services.Load() {
		service.each(func(l *leaf) {
			s.Attempts += l.attempts.Load()
			if !l.bulk {
				s.Instances++
			}
		})
	}
	if t.shared != nil {
		s.Attempts += t.shared.attempts.Load()
	}
	return s
}
