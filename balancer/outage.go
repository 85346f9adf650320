package balancer

import (
	"iter"
	"time"
)

// Outage is an instance that is passed over for a while, see
// [OutlierDetection] and [HealthCheck].
type Outage struct {
	Node   *Node
	Reason Reason
	// Since and Until are when it began and when a call may be sent as a probe.
	// Until is 0 for FailedHealthCheck, which ends when checks say so.
	Since, Until time.Duration
	// Times counts the ejections in a row, or the attempts in a row to connect.
	Times int
	// Probing says that a call is, or is waited for, to be the probe.
	Probing bool
}

// Reason says why an instance is passed over.
type Reason uint8

const (
	_ Reason = iota
	// ConsecutiveFailures, LowSuccessRate, HighFailurePercentage and SlowCalls
	// are ejections.
	ConsecutiveFailures
	LowSuccessRate
	HighFailurePercentage
	SlowCalls
	// FailedHealthCheck: active checks say so, see [HealthCheck].
	FailedHealthCheck
	// ConnectionRefused: no connection comes about.
	ConnectionRefused
	// TLS: the instance cannot prove who it is.
	TLS

	reasons = iota
)

var reasonNames = [reasons]string{"", "consecutive-failures", "success-rate", "failure-percentage", "slow-calls", "health-check", "refused", "tls"}

func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}

// MarshalText makes a reason readable in JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ejection reports whether it is one: a matter of statistics, which is bounded.
func (r Reason) ejection() bool { return r != 0 && r <= SlowCalls }

// unready reports whether nobody could be reached at all, which is no matter of
// statistics.
func (r Reason) unready() bool { return r >= ConnectionRefused }

// Ejections counts how often instances began to be passed over.
type Ejections [reasons]int64

// All yields every reason with its count.
func (e Ejections) All() iter.Seq2[Reason, int64] {
	return func(yield func(Reason, int64) bool) {
		for r := Reason(1); r < reasons; r++ {
			if !yield(r, e[r]) {
				return
			}
		}
	}
}

// outage is what the pool keeps of one, under its lock.
type outage struct {
	reason       Reason // 0: it is over
	since, until time.Duration
	ejections    int // in a row
	refusals     int // in a row
}

func (o *outage) times() int {
	switch {
	case o.reason.unready():
		return o.refusals
	case o.reason.ejection():
		return o.ejections
	}
	return 0
}
