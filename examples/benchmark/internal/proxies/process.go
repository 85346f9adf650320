package proxies

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// Process is a proxy that runs: one process, or one and its workers.
type Process struct {
	Addrs []string // where it listens, one for each hop

	cmd  *exec.Cmd
	log  string          // the file with all that it says
	life context.Context // it ends with the process, and its cause is how
	stop func() error
}

// launch starts a process that is given input.
func launch(cmd *exec.Cmd, input []byte) (*Process, error) {
	log, err := os.Create(filepath.Join(cmd.Dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own
	cmd.Stdout, cmd.Stderr = log, log
	stdin, err := cmd.StdinPipe() // which ends with this process, or with that one
	if err != nil {
		return nil, err
	}
	apart(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	life, exit := context.WithCancelCause(context.Background())
	go func() { exit(cmp.Or(cmd.Wait(), errors.New("exit status 0"))) }() // ends with the process
	stdin.Write(input)                                                    // who does not read it will say why
	p := &Process{cmd: cmd, log: log.Name(), life: life}
	p.stop = sync.OnceValue(p.end)
	return p, nil
}

// PIDs are those of all its processes, which is where its CPU goes.
func (p *Process) PIDs() []int {
	if p.life.Err() != nil {
		return nil
	}
	return family(p.cmd.Process.Pid)
}

// Stop ends it with all its processes and waits for them. The error is that it had ended
// before. A second Stop returns the same.
func (p *Process) Stop() error { return p.stop() }

func (p *Process) end() error {
	defer killFamily(p.cmd.Process) // what is left of it
	if p.life.Err() != nil {
		return p.explain(fmt.Errorf("it had ended: %w", context.Cause(p.life)))
	}
	terminate(p.cmd.Process)
	select {
	case <-p.life.Done():
	case <-time.After(5 * time.Second):
		p.cmd.Process.Kill()
		<-p.life.Done()
	}
	return nil
}

// explain adds to an error what the proxy said last.
func (p *Process) explain(err error) error {
	said, _ := os.ReadFile(p.log)
	said = bytes.TrimSpace(said[max(0, len(said)-2000):])
	return fmt.Errorf("%w; it said: %s", err, said)
}
