package fairhttp_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// TestMain fails if the tests leave goroutines behind: all that they started
// is closed by then.
func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	left := func() int { return runtime.NumGoroutine() - 2 } // this one, and that of the signals
	tick := time.NewTicker(10 * time.Millisecond)
	for deadline := time.Now().Add(patience); left() > 0 && time.Now().Before(deadline); {
		<-tick.C
	}
	tick.Stop()
	if n := left(); n > 0 && code == 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines are left:\n", n)
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}
