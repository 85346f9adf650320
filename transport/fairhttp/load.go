package fairhttp

import (
	"net/http"

	"github.com/fairlead-go/fairlead/internal/orca"
	"github.com/fairlead-go/fairlead/transport"
)

// listen hands on what an answer says of the load of its server, if it says
// anything. The binary header comes before the other, as in Envoy.
func listen(lease transport.Lease, h http.Header) {
	if values := h[orca.BinaryHeader]; len(values) > 0 {
		lease.Report(orca.ParseBase64(values[0]))
	} else if values := h[orca.Header]; len(values) > 0 {
		lease.Report(orca.ParseHeader(values[0]))
	}
}
