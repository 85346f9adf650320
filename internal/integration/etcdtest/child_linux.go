package etcdtest

import "syscall"

// DieWithParent lets the kernel kill the child when the test binary is gone,
// however it went.
func DieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
