package balancer

import (
	"testing"
	"unsafe"
)

// Every answer may write a node's reports: no two nodes' share a line.
func TestReportsFillACacheLine(t *testing.T) {
	if got := unsafe.Sizeof(reports{}); got != 64 {
		t.Errorf("reports have %d bytes, want 64", got)
	}
	for range 1000 {
		n := new(Node)
		if at := uintptr(unsafe.Pointer(n.listen())); at%64 != 0 {
			t.Fatalf("they were put at %#x, not at a multiple of 64", at)
		}
	}
}
