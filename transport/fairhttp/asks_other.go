//go:build !linux

package fairhttp

// asks does not know here, and says that there is no answer.
func asks(uintptr) bool { return true }
