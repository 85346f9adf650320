package balancer

import (
	"cmp"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// HealthCheck says how often instances are probed, and what that makes of them,
// see [Checker]. The zero value is the default, which is that of a readiness
// probe in Kubernetes: every 10 s, 1 s for an answer, unwell after three
// failures, well again after one success.
//
// Every client probes every instance, so that a thousand clients make a hundred
// probes a second out of the default, and would make five hundred out of the
// 2 s of HAProxy. Nor need it be shorter: calls find out within seconds who
// fails. Probes are for what calls do not show, such as an instance that gets
// none, or one that would do its work again.
type HealthCheck struct {
	// Off lets nobody be probed, until [Checker.Configure] says otherwise.
	Off bool
	// Interval is how long it is from one probe of an instance to the next; 0
	// means 10 s, and 24 h is the most.
	Interval time.Duration
	// Timeout is how long a probe may take; 0 means 1 s, or Interval where that
	// is shorter, and 24 h is the most.
	Timeout time.Duration
	// Fall is how many failures in a row make an instance unwell; 0 means 3.
	Fall int
	// Rise is how many successes in a row make it well again; 0 means 1. Whoever
	// is let back too early is found out by calls.
	Rise int
	// Jitter is the share of Interval by which each pause is drawn shorter or
	// longer, so that clients which began together do not probe together; 0
	// means 0.1. Envoy and HAProxy leave it out unless told otherwise; HAProxy
	// recommends 0.02 to 0.05.
	Jitter float64
	// MaxConcurrent is how many probes of a service are under way at once at
	// most; 0 means 16. With the default, and answers within 10 ms, that is
	// enough for 16 000 instances; where all time out, for 160. When it is not
	// enough, probes come late and none is left out: see [Probes].Late.
	MaxConcurrent int
}

// The shortest times are there for the unit that was forgotten.
const (
	shortestInterval = 100 * time.Millisecond
	shortestTimeout  = time.Millisecond
)

// Validate reports a bad field as a [*discovery.FieldError].
func (h HealthCheck) Validate() error {
	for _, f := range [...]struct {
		name               string
		d, least, standard time.Duration
	}{
		{"Interval", h.Interval, shortestInterval, 10 * time.Second},
		{"Timeout", h.Timeout, shortestTimeout, time.Second},
	} {
		if f.d != 0 && f.d < f.least || f.d > longest {
			return &discovery.FieldError{Field: "HealthCheck." + f.name, Value: f.d, Allowed: fmt.Sprintf("0 (meaning %v), or %v to %v", f.standard, f.least, longest)}
		}
	}
	for _, f := range [...]struct {
		name        string
		n, standard int
	}{{"Fall", h.Fall, 3}, {"Rise", h.Rise, 1}, {"MaxConcurrent", h.MaxConcurrent, 16}} {
		if f.n < 0 {
			return &discovery.FieldError{Field: "HealthCheck." + f.name, Value: f.n, Allowed: fmt.Sprintf("0 (meaning %d) or more", f.standard)}
		}
	}
	if !(h.Jitter >= 0 && h.Jitter <= 1) {
		return &discovery.FieldError{Field: "HealthCheck.Jitter", Value: h.Jitter, Allowed: "0 (meaning 0.1) to 1"}
	}
	return nil
}

func (h HealthCheck) withDefaults() HealthCheck {
	h.Interval = cmp.Or(h.Interval, 10*time.Second)
	h.Timeout = cmp.Or(h.Timeout, min(time.Second, h.Interval))
	h.Fall = cmp.Or(h.Fall, 3)
	h.Rise = cmp.Or(h.Rise, 1)
	h.Jitter = cmp.Or(h.Jitter, 0.1)
	h.MaxConcurrent = cmp.Or(h.MaxConcurrent, 16)
	return h
}
