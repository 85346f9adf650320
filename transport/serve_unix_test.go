//go:build unix

package transport_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/transport"
)

// A signal is the end, in order; that takes real time and a real signal.
func TestServeEndsWithASignal(t *testing.T) {
	d, fleet := newDiary(), orders()
	m := newMesh(t, fleet)
	served := make(chan error)
	go func() {
		served <- transport.Serve(t.Context(), m, me, transport.ServeConfig{
			Grace: time.Nanosecond, DeleteGrace: time.Nanosecond, Signals: []os.Signal{syscall.SIGUSR1},
		}, newServer("http", d))
	}()
	views, err := m.Views(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	for view := range views {
		if len(view.Nodes) > 0 { // it is announced once it listens to signals
			break
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the signal went unheard")
	}
}
