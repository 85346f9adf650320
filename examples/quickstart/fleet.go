package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

const (
	httpService = "orders-http"
	grpcService = "orders-grpc"
	// leaseTTL is how long a crashed instance stays in the registry: the
	// shortest that is allowed.
	leaseTTL       = 10 * time.Second
	instancePrefix = "fairlead/v1/instances/"
)

// process is one instance, running in a process of its own.
type process struct {
	spec  spec
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when the process has ended
}

// fleet is all instances ever started. It is used by one goroutine.
type fleet struct {
	dir, etcd, sabotage string
	started             []*process
}

func (f *fleet) start(protocol discovery.Protocol) (*process, error) {
	service := httpService
	if protocol == discovery.GRPC {
		service = grpcService
	}
	id := fmt.Sprintf("%s-%d-%s", protocol, len(f.of(service))+1, discovery.NewID()[:6])
	s := spec{ID: id, Service: service, Protocol: protocol, Etcd: f.etcd, Tally: filepath.Join(f.dir, id), Sabotage: f.sabotage}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), instanceVariable+"="+string(raw))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{spec: s, cmd: cmd, stdin: stdin, ended: make(chan struct{})}
	go func() { cmd.Wait(); close(p.ended) }()
	f.started = append(f.started, p)
	return p, nil
}

func (f *fleet) of(service string) []*process {
	var found []*process
	for _, p := range f.started {
		if p.spec.Service == service {
			found = append(found, p)
		}
	}
	return found
}

// executions sums the tallies of all instances of a service, dead or alive.
func (f *fleet) executions(service string) int64 {
	var sum int64
	for _, p := range f.of(service) {
		sum += p.executions()
	}
	return sum
}

func (f *fleet) close() {
	for _, p := range f.started {
		p.cmd.Process.Kill()
		<-p.ended
	}
}

func (p *process) executions() int64 { return readTally(p.spec.Tally) }

// slow makes the instance that many times slower than it was at first.
func (p *process) slow(factor int) { fmt.Fprintln(p.stdin, factor) }

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}
