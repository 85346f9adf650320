package discovery

import (
	"context"
	"iter"
	"time"
)

// Registry tells which instances a service has. Implementations are safe for
// concurrent use and pass the suite of package discoverytest.
//
// A registry may also have a method
//
//	Local() bool
//
// which says that all it ever tells comes from this host alone, so that
// loopback addresses in it mean this host: see [Reach].Loopback. One without
// is not local. A registry that wraps another passes its answer on.
type Registry interface {
	// Watch yields the complete set of instances of service at once or as soon
	// as it is known, and again whenever it changed. A slow consumer misses
	// intermediate sets, never the last one.
	//
	// A non-nil error comes with the last good set, whose State is then Stale,
	// or Cold if there never was one: it says what is wrong, and the sequence
	// goes on. An empty set with State Live and a nil error is knowledge: the
	// service has no instances.
	//
	// The sequence ends when ctx is done, when the loop is left, and after an
	// error that cannot heal: a bad service name ([FieldError]) or [ErrClosed].
	Watch(ctx context.Context, service string) iter.Seq2[Snapshot, error]
}

// Registrar makes instances visible to others. Implementations are safe for
// concurrent use.
type Registrar interface {
	// Register announces the instance, after [Instance.Normalize], and keeps
	// it announced until its Close, however often the registry forgets it. It
	// returns without waiting for the registry; see Registration.Wait. The
	// error is [ErrClosed] or a [FieldError]: a bad field, or an ID that this
	// registrar already announces for the service.
	Register(ctx context.Context, instance Instance) (Registration, error)
}

// Registration is one announced instance. It is safe for concurrent use.
type Registration interface {
	// Instance returns the instance as it was last announced.
	Instance() Instance
	// State returns what is known of the announcement right now.
	State() RegistrationState
	// Wait returns nil once the registry has been proved to hold the current
	// record, or ctx's error with the last trouble of the registry.
	Wait(ctx context.Context) error
	// Update announces the instance with other properties. ID and Service
	// cannot change. It does not wait.
	Update(instance Instance) error
	// Drain announces that the instance wants no more calls and waits until
	// the registry holds that, or for ctx.
	Drain(ctx context.Context) error
	// Close withdraws the announcement for good and waits until it is gone, or
	// for ctx; the registry's expiry then does the rest. Nothing announces the
	// instance again. A second Close returns nil.
	Close(ctx context.Context) error
}

// RegistrationState says whether others can see the instance.
type RegistrationState struct {
	Service    string `json:"service"`
	ID         string `json:"id"`
	Registered bool   `json:"registered"`
	Draining   bool   `json:"draining,omitempty"`
	// Announced says that it was registered at least once. Unreachable says that
	// the registry cannot be heard, so that nobody knows whether it still is.
	Announced   bool `json:"announced,omitempty"`
	Unreachable bool `json:"unreachable,omitempty"`
	// Since is when Registered last changed.
	Since time.Time `json:"since,omitzero"`
	// Reason says why it is not registered.
	Reason string `json:"reason,omitempty"`
	// Repairs counts how often the registry had to be told again.
	Repairs int `json:"repairs,omitempty"`
}
