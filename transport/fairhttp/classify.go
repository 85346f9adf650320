package fairhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/transport"
)

// isSafe reports whether a method is read-only by definition, so that
// executing it twice is executing it once. PUT and DELETE should be so too,
// but what servers make of them is theirs to declare.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	default:
		return false
	}
}

func isUpgrade(req *http.Request) bool {
	return req.Method == http.MethodConnect || len(req.Header["Upgrade"]) > 0
}

// isEventStream recognises server-sent events, whose response lasts as long as
// both sides please.
func isEventStream(req *http.Request) bool {
	for _, accept := range req.Header["Accept"] {
		if strings.HasPrefix(accept, "text/event-stream") {
			return true
		}
	}
	return false
}

// classOf judges a status. A client's mistake is no fault of the instance.
func classOf(status int) transport.Class {
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return transport.Overload
	case status >= 500:
		return transport.Failure
	default:
		return transport.Success
	}
}

// judge judges an answer. Whatever status a server refuses a request with, it is
// the server that has too much to do.
func judge(resp *http.Response) transport.Class {
	class := classOf(resp.StatusCode)
	if class == transport.Failure && len(resp.Header[Refused]) > 0 {
		return transport.Overload
	}
	return class
}

// retryAfter reads a Retry-After header, seconds or a date (RFC 9110 §10.2.3).
// What cannot be read is no wish.
func retryAfter(value string) time.Duration {
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// failed judges an attempt without a response.
func (x *exchange) failed(err error, l *leaf, seen sightings) transport.Outcome {
	// A base that traces nothing may have sent what it never asked a connection
	// for.
	o := transport.Outcome{Err: err, Class: transport.Lost, Sent: seen.got > 0 || seen.asked == 0 && l.isShared()}
	ended, class := endedBy(x.ctx, x.request)
	switch {
	case ended:
		o.Class, o.Late = class, transport.NoticedLate(x.ctx)
	case x.upload.broken():
		o.Class = transport.Neutral // the caller's own body failed
	case seen.asked+seen.got == 0 && !l.isShared():
		// net/http refused the request before it looked for a connection: it is
		// malformed, and will be elsewhere.
		o.Class = transport.Neutral
	case !o.Sent && isOurs(err):
		o.Class = transport.Neutral
	case !o.Sent: // also a dial that timed out: others may be nearer
		_, o.Untrusted = errors.AsType[*tls.CertificateVerificationError](err)
	case errors.Is(err, context.Canceled):
		o.Class = transport.Neutral // by the base itself
	case isTimeout(err):
		o.Class = transport.Timeout
	}
	return o
}

// isOurs reports whether no connection came about because this process may open
// no more files: that says nothing of the instance, and another would not help.
func isOurs(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// endedBy reports whether the caller, or the time that it has, ended the
// request, and whether that was for the time.
func endedBy(ctx context.Context, req *http.Request) (bool, transport.Class) {
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded), err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return true, transport.Timeout
	case err != nil:
		return true, transport.Neutral
	}
	// http.Client.Timeout also closes the old Cancel channel, at the context's
	// deadline and possibly a moment before the context itself.
	select {
	//lint:ignore SA1019 the deprecated channel is the only sign of it
	case <-req.Cancel:
	default:
		return false, 0
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 10*time.Millisecond {
		return true, transport.Timeout
	}
	return true, transport.Neutral
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
