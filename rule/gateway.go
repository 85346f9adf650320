package rule

import (
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/document"
)

// Gateway is a service through which calls go instead of straight to an instance,
// where code allows that service.
type Gateway struct {
	// Off: no call goes through one, whatever code said.
	Off bool `json:"off,omitempty"`
	// Service is the name of the gateway. It may be empty where it is off.
	Service string `json:"service,omitempty"`
	// Share is how many of the calls go through it, above 0%. Absent: 100%.
	Share Percent `json:"share,omitzero"`
}

// GatewayTable is a [Gateway] ready for use. Two that are equal mean the same.
type GatewayTable struct {
	Off     bool // whatever code said
	Service string
	Share   float64 // above 0 to 1
}

func (g *Gateway) table() *GatewayTable {
	t := &GatewayTable{Off: g.Off, Service: g.Service, Share: 1}
	if g.Share != 0 {
		t.Share = g.Share.Of()
	}
	return t
}

func (d *decoder) gateway(n *document.Node, g *Gateway) {
	d.object(n, g, func(name string, v *document.Node) bool {
		switch name {
		case "off":
			d.bool(v, &g.Off)
		case "service":
			d.text(v, &g.Service)
		case "share":
			d.share(v, &g.Share)
		default:
			return false
		}
		return true
	})
}

func (c *checker) gateway(g *Gateway) {
	c.field("gateway")
	switch {
	case g.Service == "" && g.Off:
	case discovery.ValidateService(g.Service) != nil:
		c.badField("service", quote(g.Service), "allowed is the name of a service, in lower case as in DNS")
	case g.Service == c.service:
		c.badField("service", quote(g.Service), "allowed is the name of another service")
	}
	c.ratio("share", g.Share)
	c.back()
}
