//go:build !linux

package etcdtest

import "syscall"

// DieWithParent has no equal elsewhere: a test binary that crashes leaves its
// etcd behind.
func DieWithParent() *syscall.SysProcAttr { return nil }
