package rule

import (
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/internal/document"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Throttle says when calls are not sent since the service refuses too many: the
// client-side throttling of Google's SRE book, see [ratelimit.ThrottleConfig]. That
// it is there turns it on, also where code has none.
type Throttle struct {
	// Off: all calls are sent, whatever code said.
	Off bool `json:"off,omitempty"`
	// K is how many calls may be sent for each one that the service accepts, above 1
	// to 100. 0: 2.
	K float64 `json:"k,omitempty"`
	// Window is the time over which calls are counted, from 1 s to 1 h. 0: 5 s.
	Window Duration `json:"window,omitzero"`
	// MaxReject is the share of calls that is not sent at most, above 0% and below
	// 100%. Absent: 90%.
	MaxReject Percent `json:"maxReject,omitzero"`
}

// ThrottleTable is a [Throttle] ready for use. Zero fields of the configuration
// mean the default of package ratelimit. Two that are equal mean the same.
type ThrottleTable struct {
	Off    bool // whatever code said
	Config ratelimit.ThrottleConfig
}

func (t *Throttle) table() *ThrottleTable {
	return &ThrottleTable{Off: t.Off, Config: ratelimit.ThrottleConfig{K: t.K, Window: time.Duration(t.Window), MaxReject: t.MaxReject.Of()}}
}

func (d *decoder) throttle(n *document.Node, t *Throttle) {
	d.object(n, t, func(name string, v *document.Node) bool {
		switch name {
		case "off":
			d.bool(v, &t.Off)
		case "k":
			d.number(v, &t.K)
		case "window":
			d.duration(v, &t.Window)
		case "maxReject":
			d.share(v, &t.MaxReject)
		default:
			return false
		}
		return true
	})
}

func (c *checker) throttle(t *Throttle) {
	c.field("throttle")
	if t.K != 0 && !(t.K > 1 && t.K <= 100) {
		c.badField("k", strconv.FormatFloat(t.K, 'g', -1, 64), "allowed is above 1 to 100")
	}
	if t.Window != 0 {
		c.between("window", t.Window, time.Second, MaxTimeout)
	}
	if p := t.MaxReject; p < 0 || p >= 100_00 {
		c.badField("maxReject", p.String(), "allowed is 0.01% to 99.99%")
	}
	c.back()
}
