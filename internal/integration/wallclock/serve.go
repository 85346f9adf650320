package wallclock

import (
	"net/http"
	"time"
)

// Serve is [Jump] over HTTP, by the duration that the parameter by says.
func Serve(w http.ResponseWriter, r *http.Request) {
	by, err := time.ParseDuration(r.FormValue("by"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	Jump(by)
}
