// Package etcdtest runs etcd for tests: a real server in a process of its own,
// which can be killed, paused and restarted. The server is the test binary
// itself, executed once more, so nothing has to be installed.
//
//	func TestMain(m *testing.M) { etcdtest.Main(m) }
//
// Servers listen on 127.0.0.1 only and die with the test binary.
package etcdtest

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// The child finds its settings in these variables.
const (
	envDir    = "FAIRLEAD_ETCDTEST_DIR"
	envClient = "FAIRLEAD_ETCDTEST_CLIENT"
	envPeer   = "FAIRLEAD_ETCDTEST_PEER"
)

// startTimeout is ample: a server needs some 0.3 s.
const startTimeout = 30 * time.Second

// Main runs the tests or, in a child process, the server. Tests that use this
// package wait more than they compute: ten of them run at a time, unless
// -parallel says otherwise.
func Main(m *testing.M) {
	if dir := os.Getenv(envDir); dir != "" {
		fmt.Fprintln(os.Stderr, serve(dir, os.Getenv(envClient), os.Getenv(envPeer)))
		os.Exit(1)
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set("10")
	}
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

// serve is the child. It returns only when the server fails.
func serve(dir, client, peer string) error {
	c := embed.NewConfig()
	c.Dir = dir
	c.LogLevel = "fatal"
	c.UnsafeNoFsync = true
	c.TickMs, c.ElectionMs = 10, 100 // one member: elected at once after a restart
	c.ListenClientUrls, c.AdvertiseClientUrls = urls(client), urls(client)
	c.ListenPeerUrls, c.AdvertisePeerUrls = urls(peer), urls(peer)
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	e, err := embed.StartEtcd(c)
	if err != nil {
		return err
	}
	select {
	case <-e.Server.ReadyNotify():
		fmt.Println("ready")
	case err := <-e.Err():
		return err
	}
	return <-e.Err()
}

func urls(addr string) []url.URL { return []url.URL{{Scheme: "http", Host: addr}} }

// Server is one etcd. Its methods are for one goroutine.
type Server struct {
	dir          string
	client, peer string // addresses, the same after each restart
	process      *exec.Cmd
}

// Start starts an etcd with an empty store and stops it with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := New(t)
	s.Restart(t)
	return s
}

// New is Start without starting: nobody listens at the endpoint before the
// first Restart.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{dir: t.TempDir(), client: freeAddr(t), peer: freeAddr(t)}
	t.Cleanup(s.Kill)
	return s
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
		s := &Server{dir: dir, client: freeAddr(t), peer: freeAddr(t)}
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
		os.RemoveAll(o.server.dir)
	}
}

// freeAddr returns an address that nobody listens at just now. The kernel does
// not hand out its port again soon.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Endpoint is the host:port for clients.
func (s *Server) Endpoint() string { return s.client }

// Client returns an etcd client of the test's own.
func (s *Server) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.client}, Logger: clientv3.NewCtxClient(context.Background()).GetLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Kill ends the server without warning. The store stays on disk.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	s.process.Process.Kill()
	s.process.Wait() // reports the signal
	s.process = nil
}

// Restart starts the server that was killed, over the same store and at the
// same address, and waits until it serves.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if s.process != nil {
		t.Fatal("etcd is running")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), envDir+"="+s.dir, envClient+"="+s.client, envPeer+"="+s.peer)
	c.Stderr = os.Stderr
	c.SysProcAttr = DieWithParent()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = c
	slow := time.AfterFunc(startTimeout, func() { c.Process.Kill() })
	defer slow.Stop()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("etcd did not start: %v %q", err, line)
	}
	go io.Copy(io.Discard, out) // ends with the process
}

// Pause stops the server in mid-step: its connections stand, nobody answers.
func (s *Server) Pause(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
