package transport

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
)

// AdmissionConfig says which calls a server takes on, as far as rules say nothing.
// The zero value learns how many it can work on at a time.
type AdmissionConfig struct {
	// Concurrency bounds the calls that are worked on. The zero value is a limit that
	// is learned, see [ratelimit.Adaptive], for which calls wait half a second at most.
	Concurrency ratelimit.ConcurrencyConfig
	// Rate bounds how many come. The zero value: any number.
	Rate ratelimit.RateConfig
}

// admissionWait is how long a call may wait for a place. As few may wait as are worked
// on, so few wait for longer than one call takes; it is what lets the important go
// first.
const admissionWait = 500 * time.Millisecond

// Validate reports a bad field, its value and what is allowed.
func (c AdmissionConfig) Validate() error {
	var errs []error
	if c.Concurrency != (ratelimit.ConcurrencyConfig{}) {
		errs = append(errs, c.Concurrency.Validate())
	}
	if c.Rate != (ratelimit.RateConfig{}) {
		errs = append(errs, c.Rate.Validate())
	}
	return errors.Join(errs...)
}

// limits are what the configuration says, in the form of rules.
func (c AdmissionConfig) limits() codeLimits {
	c.Concurrency = cmp.Or(c.Concurrency, ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{}, MaxWait: admissionWait})
	l := codeLimits{concurrency: []rule.ConcurrencyTable{{Counting: rule.Counting{Name: codeLimit, Per: rule.PerService}, Config: c.Concurrency}}}
	if c.Rate != (ratelimit.RateConfig{}) {
		l.rates = []rule.LimitTable{{Counting: rule.Counting{Name: codeLimit, Per: rule.PerService}, Config: c.Rate}}
	}
	return l
}

// Admission decides which calls a server takes on: those that its limits leave room
// for, the more important first, and that have as much time left as their method
// takes at the least. The section server of the service's rules says more, while
// the server runs. The doors put it before a handler. It is safe for concurrent use.
type Admission struct {
	service string
	mesh    *Mesh
	config  AdmissionConfig

	limits   atomic.Pointer[limits] // nil: rules switched it off
	least    perKey[string, retry.Least]
	hopeless refusals
	told     atomic.Int64
	pressed  pressed

	mu       sync.Mutex // guards what follows
	standing rule.Standing
	trouble  error
	last     *limits // also while it is off
	table    *rule.Table
	refusals int64 // documents that were refused
}

// Admission returns what decides for servers of a service. It follows the rules of
// the service until the mesh is closed, and decides as before then.
func (m *Mesh) Admission(service string, c AdmissionConfig) (*Admission, error) {
	if err := errors.Join(discovery.ValidateService(service), c.Validate()); err != nil {
		return nil, err
	}
	a := &Admission{service: service, mesh: m, config: c}
	a.mu.Lock() // until it knows the settings: newer ones find it among the admissions
	defer a.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	m.admissions = append(m.admissions, a)
	a.obeyLocked()
	if m.hasRules() {
		m.loops.Go(func() { m.obeyAs(a) })
	}
	return a, nil
}

// Arrival is a call that has come to a server.
type Arrival struct {
	Method   string // low-cardinality: "GET", "/orders.Orders/Get"
	Priority ratelimit.Priority
	// Stream says that the call's length is the application's doing.
	Stream bool
	// Request shows the call to the conditions of rules. nil: they see Method only.
	Request rule.Request
}

// Admit takes a call on or refuses it with a [*Refusal], and waits for a place only
// where the rules or the configuration say so, within ctx, whose error it returns if
// that ends. Done of what it returns must follow exactly once if the error is nil.
func (a *Admission) Admit(ctx context.Context, call Arrival) (Admitted, error) {
	l := a.limits.Load()
	if l == nil {
		return Admitted{}, nil
	}
	now, admitted := balancer.Now(), Admitted{priority: call.Priority, stream: call.Stream}
	if !call.Stream {
		admitted.least = a.leastOf(call.Method)
		if err := a.enough(ctx, now, admitted.least, call.Priority); err != nil {
			return Admitted{}, a.refuse(err, now)
		}
	}
	s := subject{method: call.Method, priority: call.Priority, request: call.Request}
	if s.request == nil {
		s.request = bare{method: call.Method}
	}
	if err := l.pass(ctx, now, &s, &admitted.held); err != nil {
		admitted.held.release(call.Priority)
		return Admitted{}, a.refuse(err, now)
	}
	return admitted, nil
}

// leastOf returns how long a method takes at the least, nil where there are too many.
func (a *Admission) leastOf(method string) *retry.Least {
	if l := a.least.of(method); l != nil || a.least.full() {
		return l
	}
	return a.least.add(method, func() *retry.Least { return new(retry.Least) })
}

// enough refuses a call whose answer would come too late: it would only be work.
func (a *Admission) enough(ctx context.Context, now time.Duration, least *retry.Least, p ratelimit.Priority) error {
	if least == nil {
		return nil
	}
	left, bounded := timeLeft(ctx, now)
	if !bounded {
		return nil
	}
	err := tooLate(least, now, left, ErrNoTime)
	if err == nil {
		return nil
	}
	a.hopeless[p.Index()].Add(1)
	return &Refusal{Limit: "deadline", Priority: p, Err: err}
}

// shedFor is how long a client is asked to stay away that is refused for want of
// places: about as long as a limit takes to learn.
const shedFor = time.Second

// refuse counts and tells, at most every ten seconds, where that is what the error is.
func (a *Admission) refuse(err error, now time.Duration) error {
	r, ok := err.(*Refusal)
	if !ok {
		return err
	}
	if r.RetryAfter == 0 && r.Err == ratelimit.ErrConcurrency {
		r.RetryAfter = shedFor
	}
	a.pressed.refused(now)
	if due(&a.told, now) {
		a.mesh.logger.Warn("fairlead: calls are refused by this server", "service", a.service, "limit", r.Limit, "priority", r.Priority.String(), "error", r.Err)
		a.mesh.tell(Event{Kind: LimitReached, Service: a.service, Text: "server: " + r.Error()})
	}
	return r
}

// Admitted is a call that a server works on. It is a value.
type Admitted struct {
	priority ratelimit.Priority
	stream   bool
	least    *retry.Least // nil: nobody wants to know
	held     permits
}

// Done ends the call. The class says how: Success, Failure, Overload where the
// application refused it itself, Timeout where its time was up, Neutral where it is
// not the server's doing. What was a success, or too much to do, teaches limits that
// learn; the length of a stream teaches nothing.
func (a Admitted) Done(c Class) {
	if !a.stream && (a.least != nil || a.held.apt) {
		now := balancer.Now()
		a.held.learn(c, now)
		if a.least != nil && c == Success {
			a.least.Record(now, a.held.took())
		}
	}
	a.held.release(a.priority)
}
