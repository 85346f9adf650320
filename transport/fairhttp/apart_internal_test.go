package fairhttp

import (
	"net/http"
	"testing"
	"time"
)

// Idle connections apart are closed after 30 seconds, or sooner where all are.
func TestIdleTimeoutApart(t *testing.T) {
	for _, c := range []struct{ all, want time.Duration }{
		{0, 30 * time.Second},
		{time.Minute, 30 * time.Second},
		{time.Second, time.Second},
	} {
		h := &http.Transport{IdleConnTimeout: c.all}
		limitApart(h)
		if h.IdleConnTimeout != c.want {
			t.Errorf("%v for sheddable calls where others have %v, want %v", h.IdleConnTimeout, c.all, c.want)
		}
	}
}
