//go:build !linux

package proxies

import (
	"os"
	"os/exec"
	"syscall"
)

func apart(*exec.Cmd) {}

// terminate asks a process to end, or ends it where none can be asked.
func terminate(p *os.Process) {
	if p.Signal(syscall.SIGTERM) != nil {
		p.Kill()
	}
}

func killFamily(*os.Process) {}

// family returns a process alone: only Linux tells a Go program of others.
func family(pid int) []int { return []int{pid} }

// counted reports whether family knows all processes.
func counted() bool { return false }

// openFiles is what any system allows.
func openFiles() int { return 1024 }
