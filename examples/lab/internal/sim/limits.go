package sim

import (
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// Limits are what keeps each client from sending more than is of use. The zero value:
// nothing does.
type Limits struct {
	// Throttle does not send what would be refused anyway. nil: there is none.
	Throttle *ratelimit.ThrottleConfig
	// Instance is what a client learns of each instance: how many calls it may have
	// there. One that has them is passed over; where all have, the call is not sent.
	// nil: there is no such limit.
	Instance *ratelimit.AdaptiveConfig
}

// place is what a client has at an instance, and what it may have.
type place struct {
	limit *ratelimit.Adaptive
	calls int
}

func (p *place) isFull() bool { return p.calls >= p.limit.Limit() }

// limit gives a client the limits of the plan.
func (c *client) limit(l *Limits) (err error) {
	if l.Throttle != nil {
		c.throttle, err = ratelimit.NewThrottle(*l.Throttle)
	}
	c.learns = l.Instance
	return err
}

// place is that of a client at an instance; nil where it learns nothing of them.
func (c *client) place(server int32) *place {
	if c.learns == nil {
		return nil
	}
	for int(server) >= len(c.places) {
		limit, err := ratelimit.NewAdaptive(*c.learns)
		if err != nil {
			panic(err) // the plan is valid
		}
		c.places = append(c.places, place{limit: limit})
	}
	return &c.places[server]
}

// takes reports whether the limits of a client let it send a call to an instance.
func (c *client) takes(server int32) bool {
	p := c.place(server)
	return p == nil || !p.isFull()
}

// admits asks the limits of a client whether a call is to be sent at all.
func (w *world) admits(c *call) bool {
	by := &w.clients[c.client]
	return by.throttle == nil || by.throttle.Allow(time.Duration(w.now), c.priority, w.sheds.Uint64())
}

// learn tells the limits of a client how an attempt ended. Of one that another has
// beaten nothing is known.
func (w *world) learn(a *attempt, beaten bool) {
	c := &w.calls[a.call]
	by, now := &w.clients[c.client], time.Duration(w.now)
	if by.throttle != nil && !beaten {
		by.throttle.Done(now, c.priority, !a.ending.tooMuch())
	}
	p := by.place(a.server)
	if p == nil {
		return
	}
	if !beaten && (a.ending == served || a.ending.tooMuch()) {
		p.limit.Done(now, time.Duration(w.now-a.begun), p.calls, a.ending.tooMuch())
	}
	p.calls--
}

func (p *Plan) validateLimits() error {
	if t := p.Limits.Throttle; t != nil {
		if err := t.Validate(); err != nil {
			return err
		}
	}
	if i := p.Limits.Instance; i != nil {
		return i.Validate()
	}
	return nil
}
