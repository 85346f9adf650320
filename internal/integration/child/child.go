// Package child runs parts of a test in processes of their own, which can be
// killed and paused: the test binary, executed once more in another role. So
// nothing has to be installed.
//
//	func TestMain(m *testing.M) {
//		child.Main(echo) // does not return in a child
//		os.Exit(m.Run())
//	}
//
// Children die with the test binary, however it ends.
package child

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Variables of the environment in which a child finds what it is.
const (
	roleVariable     = "FAIRLEAD_CHILD_ROLE"
	settingsVariable = "FAIRLEAD_CHILD_SETTINGS"
)

// startTimeout is ample: a child needs some 0.3 s.
const startTimeout = 60 * time.Second

// Role is something that a child may be.
type Role struct {
	Name string
	// Run is the main function of the child. It decodes settings and calls
	// ready once, with what the parent wants to know.
	Run func(settings []byte, ready func(about any)) error
}

// Main returns at once in a test binary. In a child it plays the role that the
// parent asked for and exits.
func Main(roles ...Role) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return
	}
	for _, r := range roles {
		if r.Name == name {
			os.Exit(r.play())
		}
	}
	fmt.Fprintf(os.Stderr, "child: no role %q\n", name)
	os.Exit(2)
}

func (r Role) play() (code int) {
	settings := []byte(os.Getenv(settingsVariable))
	// Not for the children's children.
	os.Unsetenv(roleVariable)
	os.Unsetenv(settingsVariable)
	err := r.Run(settings, func(about any) {
		line, err := json.Marshal(about)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", line)
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "child %s: %v\n", r.Name, err)
		return 1
	}
	return 0
}

// Process is a running child. Its methods may be called from any goroutine.
type Process struct {
	command *exec.Cmd
	ended   chan struct{} // closed when it has ended
	err     error         // how; read after ended
}

// Start starts a child in a role, waits until it is ready and decodes what it
// says into about. It is killed at the end of the test.
func Start(t testing.TB, role string, settings, about any) *Process {
	t.Helper()
	p, err := Run(role, settings, about)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Run is Start for a child that no single test owns: it runs until Kill.
func Run(role string, settings, about any) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), roleVariable+"="+role, settingsVariable+"="+string(text))
	c.Stderr = os.Stderr
	c.SysProcAttr = DieWithParent()
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	slow := time.AfterFunc(startTimeout, func() { c.Process.Kill() })
	defer slow.Stop()
	in := bufio.NewReader(out)
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, about)
	}
	if err != nil {
		c.Process.Kill()
		c.Wait()
		return nil, fmt.Errorf("child %s did not start: %w: %q", role, err, line)
	}
	p := &Process{command: c, ended: make(chan struct{})}
	go func() { // ends with the process
		io.Copy(io.Discard, in)
		p.err = c.Wait()
		close(p.ended)
	}()
	return p, nil
}

// PID is the number of the process.
func (p *Process) PID() int { return p.command.Process.Pid }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends the process without warning and waits until it is gone. It may be
// called again.
func (p *Process) Kill() {
	p.command.Process.Kill()
	<-p.ended
}

// Signal sends a signal, such as SIGTERM.
func (p *Process) Signal(s os.Signal) error { return p.command.Process.Signal(s) }

// Pause stops the process in mid-step and waits until it stands still.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < startTimeout; time.Sleep(time.Millisecond) {
		if p.stopped() {
			return nil
		}
	}
	return errors.New("child does not stop")
}

// stopped reads the state of all threads; a signal takes a moment. Where there
// is no /proc, that moment is over by now.
func (p *Process) stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.PID()))
	if err != nil || len(threads) == 0 {
		return true
	}
	for _, file := range threads {
		// PID, name in parentheses, state
		stat, err := os.ReadFile(file)
		if err == nil && !strings.HasPrefix(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " T") {
			return false
		}
	}
	return true
}

// Resume ends Pause.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Wait returns how the process ended, nil after an exit with code 0, or false
// if it has not ended within d.
func (p *Process) Wait(d time.Duration) (err error, ended bool) {
	if p.Running() {
		select {
		case <-p.ended:
		case <-time.After(d):
			return nil, false
		}
	}
	return p.err, true
}
