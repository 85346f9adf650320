package fairhttp

import (
	"context"
	"net/http"

	"github.com/fairlead-go/fairlead/transport"
)

// hedge is an exchange that is made a second time while the first is on its way.
type hedge struct {
	exchange
	first *exchange
}

// Hedge implements [transport.Hedger]. The caller may use its request again as soon
// as one of the two has answered, so that nothing of it is shared.
func (x *exchange) Hedge(most int) transport.Hedge {
	req := detached(x.request, most)
	if req == nil {
		return nil
	}
	h := &hedge{exchange{transport: x.transport, service: x.service, scheme: x.scheme, named: x.named, request: req}, x}
	if req.Body != http.NoBody {
		h.body = req.Body
	}
	return h
}

// Call implements [transport.Hedge].
func (h *hedge) Call() *transport.Call { return &h.call }

// Try implements [transport.Attempt].
func (h *hedge) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	defer h.finish()
	return h.exchange.Try(withoutTrace(ctx), call)
}

// Win implements [transport.Hedge].
func (h *hedge) Win() {
	h.first.Discard()
	h.first.response = h.response
	h.first.response.Request = h.first.request
}

// Lose implements [transport.Hedge].
func (h *hedge) Lose() { h.Discard() }
