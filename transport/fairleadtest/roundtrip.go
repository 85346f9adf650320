package fairleadtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"

	"github.com/fairlead-go/fairlead/transport"
)

// Handle answers HTTP requests whose reply has no status but 200. The request
// that h gets has the service as its Host. Without a handler, the body of an
// answer is the ID of the instance.
func (f *Fleet) Handle(h http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler = h
}

// RoundTrip implements [http.RoundTripper]: the fleet is the base to give to
// fairhttp. It sends a request to the instance whose address is the host of the
// URL. Bodies go and come as a whole.
func (f *Fleet) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		req = req.WithContext(req.Context()) // it stays the caller's
		req.Body = http.NoBody
	}
	defer req.Body.Close()
	f.mu.Lock()
	id, known := f.ids[req.URL.Host]
	h := f.handler
	f.mu.Unlock()

	trace := httptrace.ContextClientTrace(req.Context())
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(req.URL.Host)
	}
	if !known {
		return nil, fmt.Errorf("fairleadtest: no instance at %s: %w", req.URL.Host, Refused().Outcome.Err)
	}
	a := &Attempt{Instance: id, Service: cmp.Or(req.Host, req.URL.Host), Method: cmp.Or(req.Method, http.MethodGet)}
	reply := f.begin(a)
	var body []byte
	if reply.Outcome.Sent {
		if trace != nil && trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{Reused: true})
		}
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			reply = Reply{Outcome: transport.Outcome{Class: transport.Neutral, Err: err, Sent: true}}
		}
	}
	o := f.end(req.Context(), a, reply)
	if !o.Answered {
		return nil, cmp.Or(o.Err, errNoAnswer)
	}
	return respond(req, id, body, reply, h), nil
}

var errNoAnswer = errors.New("fairleadtest: the reply has neither an answer nor an error")

// respond makes the response of an instance.
func respond(req *http.Request, id string, upload []byte, r Reply, h http.Handler) *http.Response {
	if h == nil || r.Status != http.StatusOK {
		h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(r.Status)
			io.WriteString(w, id)
		})
	}
	in := req.Clone(req.Context())
	in.Body, in.RequestURI = io.NopCloser(bytes.NewReader(upload)), req.URL.RequestURI()
	in.Host = cmp.Or(req.Host, req.URL.Host)
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, in)
	resp := recorder.Result()
	resp.Request = req
	if r.Outcome.Err != nil {
		resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, int64(recorder.Body.Len()/2)), failing{r.Outcome.Err}))
	}
	return resp
}

// failing is where an answer breaks off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
