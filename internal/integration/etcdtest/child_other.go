//go:build !linux

package etcdtest

import "syscall"

// dieWithParent has no equal elsewhere: a test binary that crashes leaves its
// etcd behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
