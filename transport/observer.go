package transport

import (
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/callback"
)

// Event is something that happened to a service, for an observer.
type Event struct {
	Time    time.Time `json:"time"`
	Kind    EventKind `json:"kind"`
	Service string    `json:"service"`
	// Instance, Method and Route are those that it is about; empty: it is about the
	// service.
	Instance string `json:"instance,omitempty"`
	Method   string `json:"method,omitempty"`
	Route    string `json:"route,omitempty"`
	Text     string `json:"text,omitempty"`
}

// EventKind is what happened.
type EventKind string

// The kinds of events.
const (
	BreakerChanged EventKind = "breaker"      // Text is its state and, where it opened, why
	BudgetSpent    EventKind = "budget-spent" // a retry was not made; told at most every ten seconds
	LimitReached   EventKind = "limit"        // a call was not sent; told at most every ten seconds
	GatewayMoved   EventKind = "gateway"      // calls begin to go to a gateway, or to come back
	FellBack       EventKind = "fallback"     // a call got something else than the service's answer; told at most every ten seconds
)

// mostEvents is how many may wait for an observer.
const mostEvents = 256

// WithObserver has f told of what happens, one event after the other, by a
// goroutine of its own: no call waits for it. Where it is so slow that 256 events
// wait, further ones are dropped and counted. If it panics three times within a
// minute it is told no more. The goroutine ends with the mesh, as soon as f
// returns.
func WithObserver(f func(Event)) Option { return func(o *options) { o.observer = f } }

// observing is the way of events to an observer.
type observing struct {
	events   chan Event
	dropped  atomic.Int64
	callback *callback.Callback
}

// tell hands an event to the observer, if there is one. It never waits.
func (m *Mesh) tell(e Event) {
	if m.observing == nil {
		return
	}
	if m.observing.callback.Disabled() {
		m.observing.dropped.Add(1)
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	select {
	case m.observing.events <- e:
	default:
		m.observing.dropped.Add(1)
	}
}

// observe is the goroutine that tells an observer. It belongs to the mesh, which
// does not wait for it: it is the observer's time.
func (m *Mesh) observe() {
	for {
		select {
		case e := <-m.observing.events:
			m.observing.callback.Run(func() { m.options.observer(e) })
		case <-m.ctx.Done():
			return
		}
	}
}
