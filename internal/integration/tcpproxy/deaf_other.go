//go:build !linux

package tcpproxy

import "testing"

// Refusing skips the test: what a bound port does differs from system to system.
func Refusing(t testing.TB, _ string) string { t.Skip("needs Linux"); return "" }

// Unanswered skips the test, as Refusing does.
func Unanswered(t testing.TB, _ string) string { t.Skip("needs Linux"); return "" }
