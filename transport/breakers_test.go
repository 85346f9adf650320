package transport_test

import (
	"time"

	"github.com/fairlead-go/fairlead/breaker"
)

// breakerAfter opens after so many failures in a row.
func breakerAfter(failures int) breaker.Config {
	return breaker.Config{ConsecutiveFailures: failures, OpenFor: time.Second, ProbeTimeout: time.Second}
}
