package child

import "syscall"

// dieWithParent lets the kernel kill the child when the test binary is gone,
// however it went.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
