package fairleadtest

import (
	"cmp"
	"io"
	"math"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/transport"
)

// Reply is what an instance does with one attempt. The zero value is [OK].
type Reply struct {
	// Latency is how long it takes. An attempt whose context ends before that
	// ends with it.
	Latency time.Duration
	// Status is that of an HTTP response, where there is one; 0 means 200.
	Status int
	// Outcome is how the attempt ends. Over HTTP, where the door judges for
	// itself, it decides whether there is a response (Answered), what error
	// there is (Err), and whether the request was sent (Sent).
	Outcome transport.Outcome
}

// OK is an answer as it should be.
func OK() Reply { return Status(http.StatusOK) }

// Status is an answer with that HTTP status.
func Status(code int) Reply {
	o := transport.Outcome{Class: transport.Success, Sent: true, Answered: true}
	switch {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		o.Class = transport.Overload
	case code >= 500:
		o.Class = transport.Failure
	}
	return Reply{Status: code, Outcome: o}
}

// Refused is a connection that does not come about: nothing was sent.
func Refused() Reply {
	return Reply{Outcome: transport.Outcome{
		Class: transport.Lost,
		Err:   &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED},
	}}
}

// Reset is a connection that is lost after the call was sent and before an
// answer: it may have been executed.
func Reset() Reply {
	return Reply{Outcome: transport.Outcome{
		Class: transport.Lost,
		Err:   &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
		Sent:  true,
	}}
}

// Cut is a connection that is lost in the middle of the answer. Over HTTP the
// error comes with the end of the body.
func Cut() Reply {
	return Reply{Outcome: transport.Outcome{
		Class: transport.Lost, Err: io.ErrUnexpectedEOF, Sent: true, Answered: true,
	}}
}

// Hung is an instance that takes the call and never answers.
func Hung() Reply { return Reply{Latency: math.MaxInt64, Outcome: Reset().Outcome} }

// After is the same reply, later.
func (r Reply) After(d time.Duration) Reply {
	r.Latency += d
	return r
}

// orOK fills in what a zero Outcome and a zero Status mean.
func (r Reply) orOK() Reply {
	r.Status = cmp.Or(r.Status, http.StatusOK)
	if r.Outcome == (transport.Outcome{}) {
		r.Outcome = Status(r.Status).Outcome
	}
	return r
}
