package fairhttp

import (
	"net/http"

	"github.com/fairlead-go/fairlead/transport"
)

// Handler returns a handler that takes the W3C baggage of a request into its
// context, so that the calls which next makes with that context carry it on:
// that is how a lane goes along from one service to the next. Baggage is what
// the client says; whoever does not trust its clients removes it before.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if values := r.Header["Baggage"]; len(values) > 0 {
			r = r.WithContext(transport.WithBaggage(r.Context(), values...))
		}
		next.ServeHTTP(w, r)
	})
}
