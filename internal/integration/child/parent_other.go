//go:build !linux

package child

import "syscall"

// dieWithParent has no equal elsewhere: a test binary that crashes leaves its
// children behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
