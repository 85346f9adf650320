package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Process is a worker. It is safe for concurrent use; one question is asked
// after the other.
type Process struct {
	role string
	cmd  *exec.Cmd
	in   io.Closer
	done chan struct{} // closed when the process has ended

	mu      sync.Mutex // guards all below
	asks    *json.Encoder
	answers *json.Decoder
}

// Start starts a worker and waits until it has done what its role starts with.
// Whoever starts it ends it with Kill.
func Start(ctx context.Context, role string, task any) (*Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Not StdoutPipe, which Wait closes under the reader.
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = theirs
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	p := &Process{role: role, cmd: cmd, in: in, done: make(chan struct{}), asks: json.NewEncoder(in), answers: json.NewDecoder(out)}
	go func() { // ends with the process
		defer close(p.done)
		cmd.Wait() // a worker that was killed reports the signal
		out.Close()
	}()
	if err := p.exchange(ctx, task, nil); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Ask asks a question and stores the answer in what answer points to, unless
// that is nil. A worker that has not answered when ctx is done is killed.
func (p *Process) Ask(ctx context.Context, name string, args, answer any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return err
	}
	if err := p.exchange(ctx, question{name, raw}, answer); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (p *Process) exchange(ctx context.Context, say, answer any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })()
	err := p.asks.Encode(say)
	var r reply
	if err == nil {
		err = p.answers.Decode(&r)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s process: %w", p.role, context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("%s process ended: %w", p.role, err)
	case r.Error != "":
		return fmt.Errorf("%s process: %w", p.role, errors.New(r.Error))
	case answer != nil:
		return json.Unmarshal(r.Answer, answer)
	}
	return nil
}

// Kill ends the worker without warning, and returns when it has ended.
func (p *Process) Kill() {
	p.cmd.Process.Kill() // fails where it ended by itself
	<-p.done
	p.in.Close()
}

// Close lets the worker end by itself, which it has to do within ten seconds.
func (p *Process) Close() {
	p.in.Close()
	slow := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
	defer slow.Stop()
	<-p.done
}

// Pid is the process ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }
