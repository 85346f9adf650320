package rule

import (
	"time"

	"github.com/fairlead-go/fairlead/internal/document"
	"github.com/fairlead-go/fairlead/retry"
)

// Hedge says when a call that has no answer yet is sent a second time, to another
// instance, see [retry.HedgeConfig]. It stands only where the document says that
// calls are idempotent. That of a route takes the place of that of the service as
// a whole.
type Hedge struct {
	// Off: no call is sent a second time, whatever code said.
	Off bool `json:"off,omitempty"`
	// Percentile of the method's latency after which the second is sent, above 0%
	// and below 100%. Absent: 95%.
	Percentile Percent `json:"percentile,omitzero"`
	// Delay is that time, where it is fixed. 0: the percentile says.
	Delay Duration `json:"delay,omitzero"`
	// MinDelay is the least that the percentile makes of it. 0: 1 ms.
	MinDelay Duration `json:"minDelay,omitzero"`
	// MaxExtra is how many there may be to 100 calls, above 0%. Absent: 1.2 times of
	// what the percentile leaves, which is 6% of 95%.
	MaxExtra Percent `json:"maxExtra,omitzero"`
}

// HedgeTable is a [Hedge] ready for use. Zero fields of the configuration mean the
// default of package retry.
type HedgeTable struct {
	Off bool // whatever code said
	retry.HedgeConfig
}

func (h *Hedge) table() *HedgeTable {
	return &HedgeTable{Off: h.Off, HedgeConfig: retry.HedgeConfig{
		Percentile: h.Percentile.Of(), Delay: time.Duration(h.Delay), MinDelay: time.Duration(h.MinDelay), MaxExtra: h.MaxExtra.Of(),
	}}
}

func (d *decoder) hedge(n *document.Node, h *Hedge) {
	d.object(n, h, func(name string, v *document.Node) bool {
		switch name {
		case "off":
			d.bool(v, &h.Off)
		case "percentile":
			d.share(v, &h.Percentile)
		case "delay":
			d.duration(v, &h.Delay)
		case "minDelay":
			d.duration(v, &h.MinDelay)
		case "maxExtra":
			d.share(v, &h.MaxExtra)
		default:
			return false
		}
		return true
	})
}

func (c *checker) hedge(h *Hedge) {
	c.field("hedge")
	if p := h.Percentile; p < 0 || p >= 100_00 {
		c.badField("percentile", p.String(), "allowed is 0.01% to 99.99%")
	}
	c.timeout("delay", h.Delay)
	if h.Delay != 0 && h.Percentile != 0 {
		c.badField("delay", h.Delay.String(), "not allowed beside a percentile")
	}
	c.timeout("minDelay", h.MinDelay)
	if h.Delay != 0 && h.MinDelay != 0 {
		c.badField("minDelay", h.MinDelay.String(), "not allowed beside a delay that is fixed")
	}
	c.ratio("maxExtra", h.MaxExtra)
	c.back()
}
