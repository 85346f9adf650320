package fleet

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// CallHeader carries the key of a call, AddrHeader the address of the instance
// that answers.
const (
	CallHeader = "Call"
	AddrHeader = "Addr"
)

// What the query of a call may ask for.
const (
	SizeParameter = "size" // of the answer, in bytes
	Endless       = "/endless"
)

// bornKey is that of the moment at which a connection was made.
type bornKey struct{}

// execute writes down that a call is executed. One write each, so that a kill
// loses nothing.
func (i *instance) execute(key string) error {
	_, err := i.executions.WriteString(key + "\n")
	return err
}

// guarded is a handler that gets the calls which are taken on.
func (i *instance) guarded(next http.Handler) http.Handler {
	if i.admission == nil {
		return next
	}
	return fairhttp.Handler(next, fairhttp.Admit(i.admission), fairhttp.TrustPriority(), fairhttp.TrustTimeout())
}

// take counts a call that is in hand until what it returns is called.
func (i *instance) take() (answered func()) {
	n := i.inHand.Add(1)
	for most := i.mostInHand.Load(); n > most && !i.mostInHand.CompareAndSwap(most, n); most = i.mostInHand.Load() {
	}
	return func() { i.inHand.Add(-1) }
}

// begins waits for a worker, whether or not the caller still does, and returns how the
// worker is given back.
func (i *instance) begins() (ends func()) {
	if i.workers == nil {
		return func() {}
	}
	i.workers <- struct{}{}
	return func() { <-i.workers }
}

// takes lets the work take its time, and notices who does not wait for it.
func (i *instance) takes(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		i.abandoned.Add(1)
	}
}

// work is the business over HTTP.
func (i *instance) work(w http.ResponseWriter, r *http.Request) {
	i.received.Add(1)
	defer i.take()()
	born := r.Context().Value(bornKey{}).(time.Time)
	if i.MaxAge > 0 && time.Since(born) > i.MaxAge {
		w.Header().Set("Connection", "close") // GOAWAY, in HTTP/2
	}
	b := i.behaviour.Load()
	if b.Status != 0 {
		i.failed.Add(1)
		i.takes(r.Context(), b.Work)
		if b.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(b.RetryAfter))
		}
		http.Error(w, i.ID+" is out of order", b.Status)
		return
	}
	// At once, also where the rest of the request never comes: that is as bad as it
	// can be.
	if err := i.execute(r.Header.Get(CallHeader)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if status, err := i.ask(r); err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	d, rare := b.length()
	defer i.begins()()
	i.takes(r.Context(), d)
	w.Header().Set(AddrHeader, r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
	switch size, _ := strconv.Atoi(r.FormValue(SizeParameter)); {
	case rare:
		io.WriteString(w, RareAnswer)
	case r.URL.Path == Endless:
		i.goOn(w, r)
	case size > 0:
		io.WriteString(w, strings.Repeat("x", size))
	default:
		io.WriteString(w, i.ID)
	}
}

// goOn answers with a line each tenth of a second while the caller is there.
func (i *instance) goOn(w http.ResponseWriter, r *http.Request) {
	i.stream(r.Context(), func() error {
		io.WriteString(w, i.ID+"\n")
		return http.NewResponseController(w).Flush()
	})
}

// stream sends each tenth of a second until the caller has gone, and notices that.
func (i *instance) stream(ctx context.Context, send func() error) {
	defer i.abandoned.Add(1)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && send() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// ask calls the next service, if there is one, on behalf of a call.
func (i *instance) ask(r *http.Request) (status int, err error) {
	if i.next == nil {
		return 0, nil
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "mesh://"+i.Next+"/", nil)
	if err != nil {
		return http.StatusInternalServerError, err
	}
	req.Header.Set(CallHeader, r.Header.Get(CallHeader))
	resp, err := i.next.Do(req)
	if err != nil {
		return http.StatusBadGateway, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, fmt.Errorf("%s answered %s", i.Next, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return http.StatusBadGateway, err
}
