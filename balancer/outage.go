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
	// ConnectionRefused: no connection comes about.
	ConnectionRefused
	// TLS: the instance cannot prove who it is.
	TLS

	reasons = iota
)

var reasonNames = [reasons]string{"", "consecutive-failures", "success-rate", "failure-percentage", "slow-calls", "refused", "tls"}

func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}

// MarshalText makes a reason readable in JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

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
	if o.reason.unready() {
		return o.refusals
	}
	return o.ejections
}
