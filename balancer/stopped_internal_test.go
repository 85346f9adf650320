//go:build unix

package balancer

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const stoppedVariable = "FAIRLEAD_STOPPED"

// Run notices that the process was stopped, and only then: a process of its own is.
func TestRunNoticesThatTheProcessWasStopped(t *testing.T) {
	if os.Getenv(stoppedVariable) != "" {
		p := slowPool(t)
		go p.Run(t.Context(), nil)
		time.Sleep(time.Second)
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
			p.mu.Lock()
			starved := p.judge.starved
			p.mu.Unlock()
			if starved {
				t.Log("it has noticed")
				return
			}
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRunNoticesThatTheProcessWasStopped$", "-test.v")
	cmd.Env = append(os.Environ(), stoppedVariable+"=1")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second) // it has stopped itself by then
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "it has noticed") {
		t.Errorf("%v: %s", err, out.String())
	}
}
