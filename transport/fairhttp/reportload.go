package fairhttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/orca"
	"github.com/fairlead-go/fairlead/transport"
)

// ReportLoad returns a handler whose answers tell the clients of next how busy
// the server is: the header endpoint-load-metrics with the load report of ORCA,
// in the form that Envoy calls TEXT, so that [balancer.Prequal] and Envoy can go
// by it. r measures; it may be that of other servers of the process as well.
//
// The header is written with the status, so it tells of that moment. One that
// next has set stays. A call is served until next returns; an answer of status
// 500 and above, or of 429, is a failure, and one whose client went away says
// nothing. Event streams and connections that are taken over are in flight, and
// are not taken for latency.
func ReportLoad(next http.Handler, r *transport.LoadReporter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		a := &reporting{ResponseWriter: w, served: r.Start(balancer.Now())}
		defer a.end(req)
		next.ServeHTTP(a.asBelow(), req)
		a.begin(http.StatusOK)
		a.finished = true
	})
}

// reporting is an answer that reports when it begins.
type reporting struct {
	http.ResponseWriter
	served   transport.Served
	status   int
	began    bool
	finished bool // the handler has not panicked
}

func (a *reporting) begin(status int) {
	if a.began {
		return
	}
	a.began, a.status = true, status
	h := a.Header()
	if strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") || status == http.StatusSwitchingProtocols {
		a.served = a.served.Untimed()
	}
	if len(h[orca.Header]) == 0 && len(h[orca.BinaryHeader]) == 0 {
		h[orca.Header] = []string{string(orca.AppendText(nil, a.served.Load(balancer.Now())))}
	}
}

// end judges the answer as clients do.
func (a *reporting) end(req *http.Request) {
	result := balancer.Success
	switch {
	case !a.finished, classOf(a.status) != transport.Success:
		result = balancer.Failure
	case req.Context().Err() != nil:
		result = balancer.Neutral
	}
	a.served.Done(balancer.Now(), result)
}

// WriteHeader implements [http.ResponseWriter]. What comes before the answer,
// such as 103, does not begin it.
func (a *reporting) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		a.begin(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *reporting) Write(p []byte) (int, error) {
	a.begin(http.StatusOK)
	return a.ResponseWriter.Write(p)
}

// WriteString keeps the base's way of writing strings.
func (a *reporting) WriteString(s string) (int, error) {
	a.begin(http.StatusOK)
	return io.WriteString(a.ResponseWriter, s)
}

// ReadFrom keeps the base's way of sending files.
func (a *reporting) ReadFrom(r io.Reader) (int64, error) {
	a.begin(http.StatusOK)
	return io.Copy(a.ResponseWriter, r)
}

// FlushError is for an [http.ResponseController].
func (a *reporting) FlushError() error {
	a.begin(http.StatusOK)
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap gives an [http.ResponseController] all else.
func (a *reporting) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// asBelow returns the answer with those optional interfaces that the writer
// underneath has: handlers go by what they find, and a Flush that does nothing
// would mislead them.
func (a *reporting) asBelow() http.ResponseWriter {
	f, t := flushable{a}, takable{a}
	_, flushes := a.ResponseWriter.(http.Flusher)
	_, yields := a.ResponseWriter.(http.Hijacker)
	p, pushes := a.ResponseWriter.(http.Pusher)
	switch {
	case flushes && yields && pushes:
		return struct {
			*reporting
			http.Flusher
			http.Hijacker
			http.Pusher
		}{a, f, t, p}
	case flushes && yields: // HTTP/1
		return struct {
			*reporting
			http.Flusher
			http.Hijacker
		}{a, f, t}
	case flushes && pushes: // HTTP/2
		return struct {
			*reporting
			http.Flusher
			http.Pusher
		}{a, f, p}
	case yields && pushes:
		return struct {
			*reporting
			http.Hijacker
			http.Pusher
		}{a, t, p}
	case flushes:
		return struct {
			*reporting
			http.Flusher
		}{a, f}
	case yields:
		return struct {
			*reporting
			http.Hijacker
		}{a, t}
	case pushes:
		return struct {
			*reporting
			http.Pusher
		}{a, p}
	}
	return a
}

// flushable is for handlers that look for an [http.Flusher].
type flushable struct{ a *reporting }

// Flush implements [http.Flusher].
func (f flushable) Flush() { _ = f.a.FlushError() }

// takable is one whose connection can be taken over.
type takable struct{ a *reporting }

// Hijack implements [http.Hijacker].
func (t takable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := t.a.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil && !t.a.began {
		t.a.began, t.a.status, t.a.served = true, http.StatusSwitchingProtocols, t.a.served.Untimed()
	}
	return conn, rw, err
}
