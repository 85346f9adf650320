package transport

import (
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/retry"
)

// Class is how an attempt ended.
type Class uint8

const (
	// Neutral: not the instance's doing. The caller gave up, or we refused the
	// call ourselves.
	Neutral Class = iota
	// Success: the instance answered, and not with a fault of its own.
	Success
	// Failure: the instance answered with a fault of its own.
	Failure
	// Overload: the instance answered that it has too much to do.
	Overload
	// Timeout: the time was up before an answer.
	Timeout
	// Lost: there was no connection, or it broke before the answer was whole.
	Lost

	numberOfClasses = iota
)

var classNames = [numberOfClasses]string{"neutral", "success", "failure", "overload", "timeout", "lost"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown"
}

// MarshalText makes a class readable in JSON.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Outcome is what a door reports of an attempt.
type Outcome struct {
	Class Class
	// Sent is false only if surely nothing of the attempt reached a server.
	Sent bool
	// Late says that this process noticed a timeout long after the time was up,
	// see [NoticedLate].
	Late bool
	// Untrusted says that the instance could not prove who it is.
	Untrusted bool
	// Shed says of an Overload that the instance is well and takes on only what it can
	// do: it says when to come again, or that a quota is used up.
	Shed bool
	// Connected says that there was a connection, so that what could not be sent
	// says nothing of whether one comes about.
	Connected bool
	// Answered says that at least the beginning of an answer arrived.
	Answered bool
	// NoRetry says that the server does not want another attempt at all.
	NoRetry bool
	// Code is the answer, where there was one: the status of HTTP, or the number of
	// a gRPC code.
	Code int
	// Err is what the caller is to see if this was the last attempt; nil if
	// the door has an answer to hand out, be it an error answer.
	Err error
	// RetryAfter is the server's wish, 0 if it had none.
	RetryAfter time.Duration
}

// judged is its class, save that a timeout which was noticed late is nobody's doing.
func (o Outcome) judged() Class {
	if o.result() == balancer.Neutral {
		return Neutral
	}
	return o.Class
}

// result is what the outcome says of the instance.
func (o Outcome) result() balancer.Result {
	switch {
	case o.Class == Neutral, o.Class == Timeout && o.Late:
		return balancer.Neutral
	case o.Class == Success:
		return balancer.Success
	case o.Class == Overload && o.Shed:
		return balancer.Refused
	case o.Untrusted:
		return balancer.Untrusted
	case o.Class == Lost && !o.Sent && !o.Connected:
		return balancer.Unreachable
	default:
		return balancer.Failure
	}
}

// end translates an outcome for the retry policy.
func (o Outcome) end(idempotent bool) retry.Ended {
	e := retry.Ended{Code: o.Code, Idempotent: idempotent, RetryAfter: o.RetryAfter, Stop: o.NoRetry}
	switch {
	case o.Class == Lost && !o.Sent:
		e.How = retry.ConnectFailure
	case o.Class == Lost && !o.Answered:
		e.How = retry.Reset
	case o.Class == Timeout:
		e.How = retry.TimedOut
	case o.Class == Overload:
		e.How = retry.Overload
	case o.Class == Failure:
		e.How = retry.ServerFailure
	}
	return e
}
