package fairhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// What an attempt without a response is taken for, by what was seen of its
// connections. A wrong word here is a call made twice, or not again.
func TestFailed(t *testing.T) {
	own := &leaf{node: balancer.NewNode(discovery.Instance{ID: "i"}, 0)}
	shared := new(leaf)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	broke := errors.New("connection reset")
	for _, c := range []struct {
		name  string
		leaf  *leaf
		seen  sightings
		ctx   context.Context
		err   error
		class transport.Class
		sent  bool
	}{
		{"dial refused", own, sightings{asked: 1}, t.Context(), broke, transport.Lost, false},
		{"dial timed out", own, sightings{asked: 1}, t.Context(), os.ErrDeadlineExceeded, transport.Lost, false},
		{"lost after it was sent", own, sightings{asked: 1, got: 1}, t.Context(), broke, transport.Lost, true},
		{"lost on an HTTP/2 connection that nobody was asked for", own, sightings{got: 1}, t.Context(), broke, transport.Lost, true},
		{"lost, and then refused where net/http repeated it", own, sightings{asked: 2, got: 1}, t.Context(), broke, transport.Lost, true},
		{"no headers in time", own, sightings{asked: 1, got: 1}, t.Context(), fmt.Errorf("headers: %w", os.ErrDeadlineExceeded), transport.Timeout, true},
		{"malformed", own, sightings{}, t.Context(), broke, transport.Neutral, false},
		{"cancelled while dialling", own, sightings{asked: 1}, canceled, context.Canceled, transport.Neutral, false},
		{"cancelled after it was sent", own, sightings{asked: 1, got: 1}, canceled, broke, transport.Neutral, true},
		{"a shared base that traces nothing", shared, sightings{}, t.Context(), broke, transport.Lost, true},
		{"a shared base that was refused", shared, sightings{asked: 1}, t.Context(), broke, transport.Lost, false},
		{"a shared base that cancelled by itself", shared, sightings{}, t.Context(), fmt.Errorf("gave up: %w", context.Canceled), transport.Neutral, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := &exchange{ctx: c.ctx, request: new(http.Request).WithContext(c.ctx)}
			if o := x.failed(c.err, c.leaf, c.seen); o.Class != c.class || o.Sent != c.sent || o.Err != c.err || o.Answered {
				t.Errorf("outcome %+v, want class %v and sent %t", o, c.class, c.sent)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		value     string
		low, high time.Duration
	}{
		{"", 0, 0},
		{"0", 0, 0},
		{"120", 2 * time.Minute, 2 * time.Minute},
		{"-5", 0, 0},
		{"soon", 0, 0},
		{"99999999999999999999", 0, 0},
		{time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 50 * time.Minute, time.Hour},
		{"Thu, 01 Jan 1970 00:00:00 GMT", 0, 0},
	} {
		if got := retryAfter(c.value); got < c.low || got > c.high {
			t.Errorf("retryAfter(%q) = %v, want %v to %v", c.value, got, c.low, c.high)
		}
	}
}

// A connection that did not come about because this process may open no more
// files says nothing of the instance; one that was refused does.
func TestIsOurs(t *testing.T) {
	dial := func(errno syscall.Errno) error {
		return &url.Error{Op: "Get", URL: "http://10.0.0.1/", Err: &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", errno)}}
	}
	for errno, want := range map[syscall.Errno]bool{
		syscall.EMFILE: true, syscall.ENFILE: true, syscall.ECONNREFUSED: false, syscall.EADDRNOTAVAIL: false, syscall.EHOSTUNREACH: false,
	} {
		if got := isOurs(dial(errno)); got != want {
			t.Errorf("%v is ours: %t", errno, got)
		}
	}
}

// http.Client.Timeout ends a request of ours by a context and, possibly a
// moment earlier, by the old Cancel channel.
func TestEndedBy(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	caused, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(context.DeadlineExceeded)
	expired, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	far, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	near, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		cancel chan struct{}
		ended  bool
		class  transport.Class
	}{
		{"going on", far, nil, false, 0},
		{"going on, with a channel", far, make(chan struct{}), false, 0},
		{"cancelled", canceled, nil, true, transport.Neutral},
		{"past the deadline", expired, nil, true, transport.Timeout},
		{"cancelled because of a deadline", caused, nil, true, transport.Timeout},
		{"cancelled by the channel", t.Context(), closed, true, transport.Neutral},
		{"cancelled by the channel long before the deadline", far, closed, true, transport.Neutral},
		{"cancelled by the channel at the deadline", near, closed, true, transport.Timeout},
	} {
		//lint:ignore SA1019 it is what http.Client.Timeout uses
		req := (&http.Request{Cancel: c.cancel}).WithContext(c.ctx)
		if ended, class := endedBy(req.Context(), req); ended != c.ended || class != c.class {
			t.Errorf("%s: ended %t, %v; want %t, %v", c.name, ended, class, c.ended, c.class)
		}
	}
}
