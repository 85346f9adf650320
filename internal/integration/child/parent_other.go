//go:build !linux

package child

import "syscall"

// DieWithParent has no equal elsewhere: a test binary that crashes leaves its
// children behind.
func DieWithParent() *syscall.SysProcAttr { return nil }
