package rule

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/document"
)

// OnFailure is what the caller gets where no attempt succeeded, or nobody could be
// picked: the answer of another service, or a value. Exactly one of the two is
// set. That of a route takes the place of that of the service as a whole.
type OnFailure struct {
	// Service is where the call goes then, once.
	Service string `json:"service,omitempty"`
	// Value is a text in JSON: the body over HTTP, and the reply over gRPC.
	Value string `json:"value,omitempty"`
	// HTTPStatus is that of the value, from 200 to 599; 0: 200.
	HTTPStatus int `json:"httpStatus,omitempty"`
}

func (d *decoder) onFailure(n *document.Node, o *OnFailure) {
	d.object(n, o, func(name string, v *document.Node) bool {
		switch name {
		case "service":
			d.text(v, &o.Service)
		case "value":
			d.text(v, &o.Value)
		case "httpStatus":
			d.int(v, &o.HTTPStatus)
		default:
			return false
		}
		return true
	})
}

func (c *checker) onFailure(o *OnFailure) {
	c.field("onFailure")
	if (o.Service == "") == (o.Value == "") {
		c.bad("", "exactly one of service and value is needed, and not empty")
	}
	switch {
	case o.Service == "":
	case discovery.ValidateService(o.Service) != nil:
		c.badField("service", quote(o.Service), "allowed is the name of a service, in lower case as in DNS")
	case o.Service == c.service:
		c.badField("service", quote(o.Service), "allowed is the name of another service")
	}
	switch {
	case o.Value == "":
	case len(o.Value) > MaxValue:
		c.badField("value", fmt.Sprintf("of %d bytes", len(o.Value)), fmt.Sprintf("at most %d are allowed", MaxValue))
	case !json.Valid([]byte(o.Value)):
		c.badField("value", quote(o.Value), "allowed is a text in JSON")
	}
	if s := o.HTTPStatus; s != 0 {
		if s < 200 || s > 599 {
			c.badField("httpStatus", strconv.Itoa(s), "allowed is 200 to 599")
		}
		if o.Value == "" {
			c.badField("httpStatus", strconv.Itoa(s), "allowed only beside a value")
		}
	}
	c.back()
}
