package loopback_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/internal/loopback"
)

// Processes are started all the time, as tests in parallel do.
func TestAnAddressIsOfOneUserOnly(t *testing.T) {
	stop := make(chan struct{})
	var starting sync.WaitGroup
	for range 4 {
		starting.Go(func() { // ends with stop
			for {
				select {
				case <-stop:
					return
				default:
					exec.Command(os.Args[0], "-test.run=^$").Run()
				}
			}
		})
	}
	defer starting.Wait()
	defer close(stop)
	seen := map[netip.Addr]bool{}
	for range 1000 {
		s, err := loopback.Addr()
		if err != nil {
			t.Fatal(err)
		}
		addr, err := netip.ParseAddrPort(s)
		if err != nil || !addr.Addr().IsLoopback() || addr.Port() >= 32_000 {
			t.Errorf("%s: %v, want a loopback address with a port that no outgoing connection has", s, err)
		}
		seen[addr.Addr()] = true
		l, err := net.Listen("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
	// Of a thousand out of sixteen million, two may be the same by chance.
	if runtime.GOOS == "linux" && (len(seen) < 995 || seen[netip.MustParseAddr("127.0.0.1")]) {
		t.Errorf("%d different hosts for a thousand addresses", len(seen))
	}
}
