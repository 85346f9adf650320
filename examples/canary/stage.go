package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/examples/internal/localetcd"
	"github.com/fairlead-go/fairlead/transport"
)

// stage is all that takes part. It is used by one goroutine.
type stage struct {
	out     io.Writer
	broken  string        // see sabotages
	settle  time.Duration // how long each step is watched
	begin   time.Time
	dir     string
	program string // the command line
	etcd    *localetcd.Process
	mesh    *transport.Mesh // the caller's
	load    *load
	running map[string][]*process // by version
	started int
	steps   []step
}

// run builds the stage, plays the script and clears up.
func run(ctx context.Context, out io.Writer, sabotage string, settle time.Duration, hold bool) (steps []step, err error) {
	s := &stage{out: out, broken: sabotage, settle: settle, begin: time.Now(), running: map[string][]*process{}}
	if s.dir, err = os.MkdirTemp("", "fairlead-canary-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(s.dir)
	s.program = filepath.Join(s.dir, "fairlead")
	s.say("building the command line")
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", s.program, "github.com/fairlead-go/fairlead/cmd/fairlead").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the command line: %w: %s", err, text)
	}
	if s.etcd, err = localetcd.Start(ctx); err != nil {
		return nil, err
	}
	defer s.etcd.Close()
	defer s.killAll()
	for _, version := range []string{"v1", "v2"} {
		if err := s.start(version, 3); err != nil {
			return nil, err
		}
	}
	var opener transport.Opener = etcd.Config{Client: clientv3.Config{Endpoints: []string{s.etcd.Endpoint()}}, Caller: "checkout"}
	if s.broken == "deaf" {
		opener = deaf{opener}
	}
	if s.mesh, err = transport.Open(opener); err != nil {
		return nil, err
	}
	defer s.mesh.Close(context.Background())
	if s.load, err = newLoad(s.mesh); err != nil {
		return nil, err
	}
	defer s.load.conn.Close()
	if _, err := s.mesh.Views(ctx, service); err != nil {
		return nil, err
	}
	if err := s.until(ctx, "all six instances are listed", 20*time.Second, func() bool { return len(s.seen().Instances) == 6 }); err != nil {
		return nil, err
	}

	loading, end := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() { s.load.run(loading) })
	defer ended.Wait()
	defer end()
	err = s.play(ctx)
	if err == nil && hold {
		s.say("holding; interrupt to end")
		<-ctx.Done()
	}
	return s.steps, err
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%5.1fs  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}

// start starts instances of a version.
func (s *stage) start(version string, n int) error {
	for range n {
		s.started++
		p, err := spec{fmt.Sprintf("orders-%s-%d", version, s.started), version, s.etcd.Endpoint()}.start()
		if err != nil {
			return err
		}
		s.running[version] = append(s.running[version], p)
	}
	return nil
}

// kill kills all instances of a version.
func (s *stage) kill(version string) {
	for _, p := range s.running[version] {
		p.kill()
	}
	s.running[version] = nil
}

func (s *stage) killAll() {
	for version := range s.running {
		s.kill(version)
	}
}

// seen is what the caller's mesh says of orders.
func (s *stage) seen() transport.ServiceDump {
	for _, d := range s.mesh.Dump().Services {
		if d.Service == service {
			return d
		}
	}
	return transport.ServiceDump{}
}

func (s *stage) revision() int64 {
	if r := s.seen().Rules; r != nil {
		return r.Revision
	}
	return 0
}

// until waits for something to come true.
func (s *stage) until(ctx context.Context, what string, within time.Duration, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for !is() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s", within, what)
		}
	}
	return nil
}

// fairlead runs the command line and shows what it says. The code is its exit
// code.
func (s *stage) fairlead(ctx context.Context, args ...string) (code int, err error) {
	s.say("$ fairlead %s", strings.ReplaceAll(strings.Join(args, " "), s.dir+"/", ""))
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Env = append(os.Environ(), "FAIRLEAD_ENDPOINTS="+s.etcd.Endpoint())
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Run()
	for line := range strings.Lines(said.String()) {
		s.say("    %s", strings.ReplaceAll(strings.TrimRight(line, "\n"), s.dir+"/", ""))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// deaf opens a registry that knows of instances and of no rules.
type deaf struct{ transport.Opener }

func (d deaf) Open() (discovery.Registry, error) {
	r, err := d.Opener.Open()
	return struct{ discovery.Registry }{r}, err
}
