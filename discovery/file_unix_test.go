//go:build unix

package discovery_test

import (
	"syscall"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// Who opens a named pipe to read from it waits for somebody who writes.
func TestNamedPipeIsRefused(t *testing.T) {
	withFiles(t, func(t *testing.T, r *fileRig) {
		r.must(syscall.Mkfifo(r.path("orders/a.json"), 0o600))
		if s, err := latest(t, r.file, "orders"); err != nil || s.State != discovery.Live || s.Refused != 1 {
			t.Errorf("%s, refusals %v, error %v; want one", s.State, s.Refusals, err)
		}
	})
}
