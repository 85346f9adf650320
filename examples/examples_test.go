// Package examples_test runs the programs that users copy from as they stand:
// built by go build, against a real etcd.
package examples_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/internal/localetcd"
)

// patience bounds every wait; on an idle machine none takes a second.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	localetcd.Main()
	os.Exit(m.Run())
}

func TestClientFindsItsServersAndTheyLeaveWithoutAnError(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("ends the servers with SIGTERM")
	}
	for _, door := range []string{"http", "grpc"} {
		t.Run(door, func(t *testing.T) {
			t.Parallel()
			e := start(t, door)
			first, second := e.server(t), e.server(t)

			// Both are found: four calls at a time until each has answered.
			var seen []string
			e.until(t, "both instances have answered", func(out string, err error) bool {
				if err == nil {
					seen = distinct(append(seen, e.instances(t, out)...))
				}
				return len(seen) == 2
			})

			// One is told to end. It goes on serving until callers know of it:
			// no call fails on the way.
			ended := first.terminate(t)
			for running := true; running; {
				select {
				case err := <-ended:
					if err != nil {
						t.Errorf("SIGTERM: server ended with %v:\n%s", err, &first.log)
					}
					running = false
				case <-time.After(100 * time.Millisecond): // each call is a process
				}
				if out, err := e.client(t); err != nil {
					t.Fatalf("a call failed while a server left: %v\n%s", err, out)
				}
			}
			out, err := e.client(t)
			if left := distinct(e.instances(t, out)); err != nil || len(left) != 1 {
				t.Errorf("after one of two left, %v answer (%v)", left, err)
			}

			// The other one too: the client says at once what is wrong.
			if err := <-second.terminate(t); err != nil {
				t.Errorf("SIGTERM: server ended with %v:\n%s", err, &second.log)
			}
			out, err = e.client(t)
			if _, exited := err.(*exec.ExitError); !exited || !strings.Contains(out, `orders has surely not done it, failed at stage "pick"`) {
				t.Errorf("with no instance left the client ended with %v:\n%s", err, out)
			}
		})
	}
}

func TestClientSaysThatEtcdCannotBeReached(t *testing.T) {
	for _, door := range []string{"http", "grpc"} {
		t.Run(door, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			out, err := exec.CommandContext(ctx, build(t, door+"/client"), "-etcd", "127.0.0.1:1").CombinedOutput()
			if _, exited := err.(*exec.ExitError); !exited || ctx.Err() != nil || !bytes.Contains(out, []byte("orders has surely not done it")) {
				t.Errorf("ended with %v:\n%s", err, out)
			}
		})
	}
}

// example is an etcd and the two programs of a door.
type example struct {
	endpoint         string
	clientP, serverP string
}

func start(t *testing.T, door string) *example {
	etcd, err := localetcd.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { etcd.Close() })
	return &example{endpoint: etcd.Endpoint(), clientP: build(t, door+"/client"), serverP: build(t, door+"/server")}
}

func build(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(dir))
	if out, err := exec.Command("go", "build", "-o", program, "./"+dir).CombinedOutput(); err != nil {
		t.Fatalf("go build ./%s: %v\n%s", dir, err, out)
	}
	return program
}

// client runs the client once and returns all that it says.
func (e *example) client(t *testing.T) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, e.clientP, "-etcd", e.endpoint).CombinedOutput()
	return string(out), err
}

// until runs the client until done accepts what it says.
func (e *example) until(t *testing.T, what string, done func(string, error) bool) {
	t.Helper()
	for begun := time.Now(); ; {
		out, err := e.client(t)
		if done(out, err) {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("not so after %v: %s. The client says (%v):\n%s", patience, what, err, out)
		}
	}
}

var answer = regexp.MustCompile(`(?m)^order (\S+)( is now a lamp)?, says instance (\w+)$`)

// instances returns who answered the client's calls, which are three reads and
// a write.
func (e *example) instances(t *testing.T, out string) []string {
	t.Helper()
	answers := answer.FindAllStringSubmatch(out, -1)
	if len(answers) != 4 || answers[0][1] != "0" || answers[2][1] != "2" || answers[3][2] == "" {
		t.Fatalf("the client says:\n%s", out)
	}
	var ids []string
	for _, a := range answers {
		ids = append(ids, a[3])
	}
	return ids
}

func distinct(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// server is a server program; it dies with the test.
type server struct {
	cmd   *exec.Cmd
	log   bytes.Buffer // to be read after ended
	ended chan error
}

func (e *example) server(t *testing.T) *server {
	s := &server{cmd: exec.Command(e.serverP, "-etcd", e.endpoint), ended: make(chan error, 1)}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { // ends with the process
		defer close(gone)
		s.ended <- s.cmd.Wait()
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-gone
	})
	return s
}

func (s *server) terminate(t *testing.T) <-chan error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return s.ended
}
