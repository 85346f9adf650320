package fairhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// suffering is a policy whose calls all suffer a fault.
func suffering(f rule.Fault) rule.Policy {
	return policy(rule.Route{Name: "all", Fault: &f})
}

// An abort is an answer like a server's, marked, and nobody is asked for it.
func TestFaultAborts(t *testing.T) {
	for _, c := range []struct {
		name, method   string
		status         int // of the rule
		want           int
		statusText     string
		withoutGetBody bool
	}{
		{"Default", "GET", 0, 503, "503 Service Unavailable", false},
		{"Status", "POST", 429, 429, "429 Too Many Requests", false},
		{"StatusWithoutText", "POST", 499, 499, "499", true},
		{"Head", "HEAD", 500, 500, "500 Internal Server Error", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, say("hello"))
			orders := ruled(t, suffering(rule.Fault{Abort: &rule.Abort{HTTPStatus: c.status, Percent: 100_00}}), []*server{s})
			_, rt := orders.client(t, fairhttp.Config{}, nil)
			body := newTracked("two sheep")
			req, _ := http.NewRequestWithContext(t.Context(), c.method, "mesh://orders/", body)
			if !c.withoutGetBody {
				req.GetBody = func() (io.ReadCloser, error) { return newTracked("two sheep"), nil }
			}
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.want || resp.Status != c.statusText || resp.Header.Get(fairhttp.Fault) != "abort" {
				t.Errorf("the answer is %q, %v; want %s", resp.Status, resp.Header, c.statusText)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil || (len(text) > 0) == (c.method == "HEAD") || resp.Body.Close() != nil {
				t.Errorf("its body is %q: %v", text, err)
			}
			if length := int64(len(text)); c.method != "HEAD" && resp.ContentLength != length {
				t.Errorf("its length is said to be %d, it is %d", resp.ContentLength, length)
			}
			if resp.Request != req {
				t.Error("it does not name the caller's request")
			}
			if body.closes() != 1 {
				t.Errorf("the request body was closed %d times", body.closes())
			}
			if s.executions.Load() != 0 || orders.rules().Aborted != 1 {
				t.Errorf("%d executions, %d aborts are shown", s.executions.Load(), orders.rules().Aborted)
			}
		})
	}
}

// A client makes of an aborted call what it makes of such an answer.
func TestFaultAbortThroughAClient(t *testing.T) {
	orders := ruled(t, suffering(rule.Fault{Abort: &rule.Abort{HTTPStatus: 418, Percent: 100_00}}), []*server{serve(t, say("hello"))})
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	client.Timeout = time.Hour
	resp, body := fetch(t, client, "GET", "mesh://orders/", "")
	if resp.StatusCode != 418 || body == "" {
		t.Errorf("the answer is %s %q", resp.Status, body)
	}
}

// A delay ends with the caller's deadline, and nobody was asked by then.
func TestFaultDelayEndsWithTheDeadline(t *testing.T) {
	s := serve(t, say("hello"))
	orders := ruled(t, suffering(rule.Fault{Delay: &rule.Delay{FixedDelay: rule.Duration(time.Minute), Percent: 100_00}}), []*server{s})
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	body := newTracked("two sheep")
	req, _ := http.NewRequestWithContext(ctx, "POST", "mesh://orders/", body)
	_, err := client.Do(req)
	if e, ok := errors.AsType[*transport.Error](err); !ok || e.Class != transport.Timeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended with %v", err)
	}
	if s.executions.Load() != 0 || orders.rules().Delayed != 1 || body.closes() != 1 {
		t.Errorf("%d executions, %d delays are shown, the body was closed %d times", s.executions.Load(), orders.rules().Delayed, body.closes())
	}
}

// A delay within the time is all that happens.
func TestFaultDelay(t *testing.T) {
	orders := ruled(t, suffering(rule.Fault{Delay: &rule.Delay{FixedDelay: rule.Duration(time.Millisecond), Percent: 100_00}}), []*server{serve(t, say("hello"))})
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	if _, got := fetch(t, client, "POST", "mesh://orders/", "two sheep"); got != "hello" || orders.rules().Delayed != 1 {
		t.Errorf("the answer is %q, %d delays are shown", got, orders.rules().Delayed)
	}
}
