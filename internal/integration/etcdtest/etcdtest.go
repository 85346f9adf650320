// Package etcdtest runs etcd for tests: real servers in processes of their own,
// alone or as a cluster, which can be killed, paused, wiped, restored and filled
// up. A server is the test binary itself, executed once more, so nothing has to
// be installed.
//
//	func TestMain(m *testing.M) { etcdtest.Main(m) }
//
// Servers listen on loopback only, each at addresses of its own, and die with the
// test binary.
package etcdtest

import (
	"flag"
	"os"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/internal/integration/child"
)

// Main runs the tests or, in a child process, the server or one of the other
// roles. Tests that use this package wait more than they compute: twenty of
// them run at a time, unless -parallel says otherwise.
func Main(m *testing.M, others ...child.Role) {
	child.Main(append(others, role)...)
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set("20")
	}
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

// shared is the one server of the test binary; Main stops it.
var shared onceServer

type onceServer struct {
	mu     sync.Mutex
	server *Server // nil: not started
}

// Shared returns an etcd that all tests of the binary share. They keep apart
// by prefixes and do nothing to it that others could notice.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		dir, err := os.MkdirTemp("", "etcdtest")
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(t, dir)
		s.Restart(t)
		shared.server = s
	}
	return shared.server
}

func (o *onceServer) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.server != nil {
		o.server.Kill()
		os.RemoveAll(o.server.settings.Dir)
	}
}
