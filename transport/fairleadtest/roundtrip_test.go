package fairleadtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// newClient returns a client of a fleet that is picked from in turn.
func newClient(t testing.TB, fleet *fairleadtest.Fleet) *http.Client {
	t.Helper()
	m := newMesh(t, fleet, transport.WithPolicy(new(fairleadtest.Picks)))
	rt := fairhttp.New(m, fleet)
	t.Cleanup(func() { rt.Close() })
	return &http.Client{Transport: rt}
}

func read(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// What the door for HTTP makes of the replies of a and of b, which is called if
// the call is made again.
func TestRepliesOverHTTP(t *testing.T) {
	tests := []struct {
		name   string
		method string
		reply  fairleadtest.Reply
		called string
		status int
		cause  error
	}{
		{"an answer", "GET", fairleadtest.OK(), "a", 200, nil},
		{"an answer in an hour", "GET", fairleadtest.OK().After(time.Hour), "a", 200, nil},
		{"a status", "GET", fairleadtest.Status(404), "a", 404, nil},
		{"a bad status is not tried again", "GET", fairleadtest.Status(503), "a", 503, nil},
		{"refused: elsewhere", "GET", fairleadtest.Refused(), "a b", 200, nil},
		{"refused: elsewhere, whatever the method", "POST", fairleadtest.Refused(), "a b", 200, nil},
		{"reset: elsewhere", "GET", fairleadtest.Reset(), "a b", 200, nil},
		{"reset: may have been executed", "POST", fairleadtest.Reset(), "a", 0, syscall.ECONNRESET},
		{"hung: until the deadline", "GET", fairleadtest.Hung(), "a", 0, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
				fleet.Play("a", tt.reply)
				client := newClient(t, fleet)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, tt.method, "mesh://orders/42", strings.NewReader("upload"))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if !errors.Is(err, tt.cause) {
					t.Errorf("error is %v, want %v", err, tt.cause)
				}
				if err == nil {
					if resp.StatusCode != tt.status {
						t.Errorf("status is %d, want %d", resp.StatusCode, tt.status)
					}
					called := fleet.Called()
					if got, want := read(t, resp), called[len(called)-1]; got != want {
						t.Errorf("body is %q, want %q", got, want)
					}
				}
				if got := strings.Join(fleet.Called(), " "); got != tt.called {
					t.Errorf("called %s, want %s", got, tt.called)
				}
				for _, a := range fleet.Attempts() {
					if a.Service != "orders" || a.Method != tt.method {
						t.Errorf("recorded %+v", a)
					}
				}
			})
		})
	}
}

func TestAnAnswerThatIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
		fleet.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "0123456789") }))
		fleet.Play("a", fairleadtest.Cut())
		resp, err := newClient(t, fleet).Get("mesh://orders/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if string(body) != "01234" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("read %q and then %v", body, err)
		}
	})
}

// The program's own protocol can be answered by its own handler.
func TestAHandlerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
		fleet.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Seen", r.Method+" "+r.Host+r.RequestURI+" "+string(body))
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, "created")
		}))
		client := newClient(t, fleet)
		resp, err := client.Post("mesh://orders/new?x=1", "text/plain", strings.NewReader("upload"))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "created" || resp.StatusCode != http.StatusCreated {
			t.Errorf("got %d %q", resp.StatusCode, got)
		}
		if got, want := resp.Header.Get("X-Seen"), "POST orders/new?x=1 upload"; got != want {
			t.Errorf("the handler saw %q, want %q", got, want)
		}
		fleet.Play("a", fairleadtest.Status(500))
		if resp, err = client.Get("mesh://orders/"); err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "a" || resp.StatusCode != 500 {
			t.Errorf("with a status of its own: %d %q", resp.StatusCode, got)
		}
	})
}

// A RoundTripper neither writes to a request nor leaves its body open.
func TestRoundTripKeepsTheContract(t *testing.T) {
	for name, reply := range map[string]fairleadtest.Reply{
		"answered": fairleadtest.OK(), "refused": fairleadtest.Refused(), "reset": fairleadtest.Reset(),
		"with nothing in it": {Outcome: transport.Outcome{Class: transport.Lost}},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
			fleet.Play("a", reply)
			body := &closing{Reader: strings.NewReader("upload")}
			req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://"+fairleadtest.Instances("orders", "a")[0].Addr, body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := fleet.RoundTrip(req)
			if (resp == nil) == (err == nil) {
				t.Errorf("response %v and error %v", resp, err)
			}
			if !body.closed || req.Body != body {
				t.Errorf("closed: %t, replaced: %t", body.closed, req.Body != body)
			}
		})
	}
}

func TestABodyThatCannotBeReadIsTheCallersError(t *testing.T) {
	fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
	broken := errors.New("disk on fire")
	_, err := newClient(t, fleet).Post("mesh://orders/", "", io.MultiReader(strings.NewReader("x"), unreadable{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

func TestNobodyIsAtAForeignAddress(t *testing.T) {
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://192.0.2.1:80/", nil)
	if resp, err := fairleadtest.NewFleet().RoundTrip(req); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("response %v, error %v", resp, err)
	}
}

func TestRoundTripIsTraced(t *testing.T) {
	for name, tt := range map[string]struct {
		reply fairleadtest.Reply
		want  string
	}{"sent": {fairleadtest.Reset(), "asked got "}, "unsent": {fairleadtest.Refused(), "asked "}} {
		t.Run(name, func(t *testing.T) {
			seen := ""
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GetConn: func(string) { seen += "asked " },
				GotConn: func(httptrace.GotConnInfo) { seen += "got " },
			})
			fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
			fleet.Play("a", tt.reply)
			req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+fairleadtest.Instances("orders", "a")[0].Addr, nil)
			fleet.RoundTrip(req)
			if seen != tt.want {
				t.Errorf("saw %q, want %q", seen, tt.want)
			}
		})
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

type unreadable struct{ err error }

func (b unreadable) Read([]byte) (int, error) { return 0, b.err }
