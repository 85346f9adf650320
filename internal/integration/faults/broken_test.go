package faults_test

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
	"github.com/fairlead-go/fairlead/transport"
)

// A connection breaks in the middle of a body. One of two instances is behind a
// link, and the client calls them in turn.

// large is the size of a body that no buffer on the way takes whole.
const large = 8 << 20

// cutUpload: half a request was sent. It is sent again only if that does no harm
// and if there is a body to send.
var cutUpload = row{
	number: 22, fault: "reset in the request body",
	setup: func(s *scene) { s.twoBehind() },
	inject: func(s *scene) {
		for _, tt := range []struct {
			what       string
			idempotent bool
			body       func() io.Reader
			again      bool
		}{
			{"idempotent, and can be read again", true, func() io.Reader { return strings.NewReader(strings.Repeat("x", large)) }, true},
			{"idempotent, and cannot be read again", true, func() io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", large))) }, false},
			{"not idempotent", false, func() io.Reader { return strings.NewReader(strings.Repeat("x", large)) }, false},
		} {
			c := s.client() // one that has no bad memories
			s.victimLink.LimitUp(large / 4)
			for n := range 4 { // two at least meet the victim first
				ctx := transport.WithCall(s.Context(), transport.Idempotent(tt.idempotent))
				resp, err := c.do(ctx, http.MethodPost, "/", tt.body())
				if err == nil {
					resp.Body.Close()
				}
				executed := c.executions()[c.last] - s.earlier[c.last]
				switch met, ok := errors.AsType[*transport.Error](err); {
				case err == nil && resp.StatusCode != http.StatusOK:
					s.Errorf("%s, call %d: %s", tt.what, n, resp.Status)
				case err == nil && executed > 1 && !tt.again:
					s.Errorf("%s, call %d was executed %d times", tt.what, n, executed)
				case err == nil:
				case !ok || !met.MaybeExecuted:
					s.Errorf("%s, call %d: the error does not say that it may have been executed: %v", tt.what, n, err)
				case tt.again:
					s.Errorf("%s, call %d failed: %v", tt.what, n, err)
				case executed > 1 || met.Attempts != 1:
					s.Errorf("%s, call %d had %d attempts and was executed %d times", tt.what, n, met.Attempts, executed)
				}
			}
			seen := c.called()
			lost, want := seen.Attempts["lost"], int64(0)
			if tt.again {
				want = lost
			}
			if lost < 2 || seen.Retries != want {
				s.Errorf("%s: %d attempts were lost, %d made again; want some lost, and %d again", tt.what, lost, seen.Retries, want)
			}
			s.victimLink.Pass()
			s.earlier = c.executions()
		}
	},
	hold:  func(s *scene) {},
	check: func(s *scene) {},
}

// cutDownload: half an answer was read. Whoever reads gets the error, nobody asks
// again for the rest, the instance is charged, and the connection is not used again.
var cutDownload = row{
	number: 23, fault: "reset in the response body",
	setup: func(s *scene) { s.twoBehind() },
	inject: func(s *scene) {
		c := s.client()
		s.victimLink.LimitDown(large / 4)
		broken := 0
		for range 4 {
			resp, err := c.do(s.Context(), http.MethodGet, "/?"+fleet.SizeParameter+"=8388608", nil)
			if err != nil {
				s.Errorf("call %d failed before its body: %v", c.last, err)
				continue
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			switch {
			case err != nil && n < large:
				broken++
			case err != nil || n != large:
				s.Errorf("%d of %d bytes came, and %v", n, large, err)
			}
			if executed := c.executions()[c.last]; executed != 1 {
				s.Errorf("call %d was executed %d times", c.last, executed)
			}
		}
		seen := c.called()
		if broken != 2 || seen.Attempts["lost"] != 2 || seen.Retries != 0 {
			s.Errorf("%d bodies broke, %d attempts count as lost, %d were made again; want 2, 2 and none", broken, seen.Attempts["lost"], seen.Retries)
		}
		if n := c.inFlight(); n != 0 {
			s.Errorf("%d attempts are still in flight", n)
		}
		s.soon("no connection to the victim", func() bool { return s.victimLink.Standing() == 0 })
		s.victimLink.Pass()
		made := s.victimLink.Accepted()
		for range 4 {
			if err := c.get(s.Context()); err != nil {
				s.Errorf("afterwards: %v", err)
			}
		}
		if fresh := s.victimLink.Accepted() - made; fresh != 1 {
			s.Errorf("%d connections were made to the victim afterwards, want one", fresh)
		}
	},
	hold:  func(s *scene) {},
	check: func(s *scene) {},
}

// twoBehind is two instances, one of them behind a link.
func (s *scene) twoBehind() {
	s.Helper()
	s.few(1)
	s.victimLink = tcpproxy.New(s, "")
	s.victim = s.fleet.StartBehind(s.victimLink)
	s.within(0, "both registered", func() bool { return len(s.registered()) == 2 })
	s.scale.warm, s.scale.settle = 0, 0
}
