package client_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// TestMain fails if a variant leaves goroutines behind once it is closed.
func TestMain(m *testing.M) {
	code := m.Run()
	left := func() int { return runtime.NumGoroutine() - 2 } // this one, and that of the signals
	for deadline := time.Now().Add(10 * time.Second); left() > 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if n := left(); n > 0 && code == 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines are left:\n", n)
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}
