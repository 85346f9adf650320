package proxies

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// apart puts a process into a group of its own, where its children are, too. It ends with
// this process, however that ends: by SIGTERM, since nginx could not tell its workers of
// a SIGKILL.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

func terminate(p *os.Process) { p.Signal(syscall.SIGTERM) }

// killFamily ends what is left of the group of a process.
func killFamily(p *os.Process) {
	for len(family(p.Pid)) > 0 {
		syscall.Kill(-p.Pid, syscall.SIGKILL)
		time.Sleep(time.Millisecond)
	}
}

// family returns the processes of a group that have not ended.
func family(group int) []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		// proc_pid_stat(5): state, parent and group follow the name in parentheses.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 2 && string(fields[0]) != "Z" && string(fields[2]) == strconv.Itoa(group) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// counted reports whether family knows all processes.
func counted() bool { return true }

// openFiles is how many files a process may have open, if it asks for all it can get.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Max, most))
}
