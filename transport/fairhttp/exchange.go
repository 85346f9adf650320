package fairhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// exchange is one governed RoundTrip, and the [transport.Attempt] of its call.
// All that a call needs is in this one allocation; it lives as long as the
// response body and is never used again.
type exchange struct {
	transport *Transport
	service   *service
	request   *http.Request // the caller's, never written to
	scheme    string
	named     string // the service that the request names
	call      transport.Call
	ctx       context.Context // of the attempt
	carried   context.Context // with the baggage of the caller's own header, once a rule has asked for it
	upgrade   bool            // CONNECT or Upgrade: neither sent twice nor timed
	round     int             // attempts so far, of this service and any before

	url    url.URL       // of the first attempt's request
	body   io.ReadCloser // the request body while it is ours to send and to close
	upload *upload       // what guards it while it is the base's, if anything does
	first  upload        // the first attempt's

	response *http.Response
	answer   answer // the first attempt's
}

func newExchange(t *Transport, req *http.Request, name, scheme string) *exchange {
	x := &exchange{transport: t, request: req, scheme: scheme, named: name, upgrade: isUpgrade(req)}
	if req.Body != http.NoBody {
		x.body = req.Body
	}
	x.call.Service, x.call.Method, x.call.Protocol = name, req.Method, discovery.HTTP
	if x.call.Method == "" {
		x.call.Method = http.MethodGet
	}
	x.call.Idempotent = isSafe(x.call.Method)
	x.call.Stream = x.upgrade || isEventStream(req)
	x.call.AnswersInParts = true
	x.call.Request = (*conditions)(x)
	x.call.Priority = priorityOf(req.Header)
	x.call.Apply(req.Context())
	return x
}

// prepare finds the service, or the reason why there can be none.
func (x *exchange) prepare() (err error) {
	x.service, err = x.transport.service(x.call.Service, x.request.URL)
	if err == nil {
		return nil
	}
	stage := transport.StagePick
	if errors.Is(err, transport.ErrClosed) {
		stage = transport.StageClosed
	}
	return &transport.Error{Stage: stage, Class: transport.Neutral, Service: x.call.Service, Method: x.call.Method, Err: err}
}

// finish closes the request body if no attempt took it, as the contract of
// RoundTripper demands on every path.
func (x *exchange) finish() {
	if x.body != nil {
		x.body.Close()
	}
	if x.upload != nil {
		x.upload.release()
	}
}

// Try makes one attempt.
func (x *exchange) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	x.ctx = ctx
	x.round++
	if x.upgrade {
		x.call.Idempotent = false // what was switched to is nobody's to repeat, whatever a rule says
	}
	if err := x.refill(); err != nil {
		return transport.Outcome{Err: err}
	}
	lease, err := x.transport.mesh.Acquire(ctx, call, nil)
	if err != nil {
		return transport.Outcome{Err: err}
	}
	leaf := x.service.leaf(lease.Node())
	if x.call.Priority < ratelimit.Default {
		leaf = x.service.apart(leaf)
	}
	host, err := leaf.hostOf(lease.Node())
	if err != nil {
		return x.lost(lease, transport.Outcome{Class: transport.Lost, Err: err})
	}
	gen := leaf.use()
	answered := gen.answers.Load()

	ctx, tracer := x.transport.trace(ctx)
	resp, err := x.send(gen, lease, x.compose(ctx, host, leaf))
	seen := x.transport.untrace(tracer)
	x.transport.saw(leaf, lease.Node(), seen)

	if err == nil && resp == nil {
		err = errors.New("the base RoundTripper returned neither a response nor an error")
	}
	if err != nil {
		if resp != nil && resp.Body != nil { // a base that breaks the contract: the error wins
			resp.Body.Close()
		}
		o := x.failed(err, leaf, seen)
		gen.release()
		switch {
		case o.Class == transport.Timeout && o.Sent:
			x.service.timedOut(leaf, gen, answered)
		case o.Class == transport.Lost && o.Sent:
			leaf.lost()
		}
		return x.lost(lease, o)
	}
	gen.answers.Add(1)
	if !call.Began() {
		resp.Body.Close()
		gen.release()
		return x.lost(lease, transport.Outcome{Class: transport.Timeout, Err: context.Cause(x.ctx), Sent: true, Late: transport.NoticedLate(x.ctx)})
	}
	return x.answered(resp, lease, gen)
}

// send hands a request to the base. A panic of that is the caller's to see, and
// ends the attempt, which says nothing of the instance.
func (x *exchange) send(gen *generation, lease transport.Lease, req *http.Request) (*http.Response, error) {
	returned := false
	defer func() {
		if !returned {
			gen.release()
			lease.Done(transport.Outcome{})
			x.call.Release()
		}
	}()
	resp, err := gen.base.RoundTrip(req)
	returned = true
	return resp, err
}

// compose makes the request of an attempt: a shallow copy that goes to the
// instance and says the service.
func (x *exchange) compose(ctx context.Context, host string, l *leaf) *http.Request {
	req := x.request.WithContext(ctx)
	u := &x.url
	if x.round > 1 {
		u = new(url.URL) // the base may still hold the last one
	}
	*u = *x.request.URL
	u.Scheme, u.Host = x.scheme, host
	if x.transport.fixed != nil {
		u.Host = x.request.URL.Host // the port is that of the URL
	}
	req.URL = u
	switch {
	case x.service.name != x.named:
		req.Host = x.service.name // it was redirected
	case req.Host == "":
		req.Host = x.request.URL.Host
	}
	x.mark(ctx, req)
	if x.body != nil {
		req.Body = x.guard(l)
		x.body = nil
	}
	if x.upgrade || x.call.Idempotent && l.wary() {
		l.single(req)
	}
	return req
}

// answered hands out a response. Its status is judged and otherwise none of
// our business.
func (x *exchange) answered(resp *http.Response, lease transport.Lease, gen *generation) transport.Outcome {
	o := transport.Outcome{Class: judge(resp), Code: resp.StatusCode, Sent: true, Answered: true}
	if x.call.Judges() {
		o.Class = x.call.Judge(o.Class, transport.Answer{Code: resp.StatusCode, Header: resp.Header.Get})
	}
	if o.Class == transport.Overload || o.Class == transport.Failure {
		o.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
		o.Shed = o.RetryAfter > 0 || o.Code == http.StatusTooManyRequests || resp.Header.Get(Refused) != ""
	}
	o.NoRetry = !x.repeatable() || resp.Header.Get(Refused) == "deadline" // there is less time left for another
	if lease.Listens() {
		listen(lease, resp.Header)
	}
	resp.Request = x.request
	x.response = resp
	a := &x.answer
	if x.round > 1 {
		a = new(answer) // the context of the last one may yet look for it
	}
	a.begin(x, lease, gen, o)
	return o
}

// lost ends a failed attempt.
func (x *exchange) lost(lease transport.Lease, o transport.Outcome) transport.Outcome {
	lease.Done(o)
	if !x.takeBack() {
		// What is gone cannot be sent twice, and whoever took it may have been
		// a server.
		x.call.Idempotent, o.Sent = false, true
	}
	return o
}
