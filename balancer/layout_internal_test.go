package balancer

import (
	"strconv"
	"testing"
	"unsafe"

	"github.com/fairlead-go/fairlead/discovery"
)

// What every call writes fills one cache line, what is only read the next, what
// is written in trouble the third, and no two nodes share one.
func TestNodeLayout(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("pointers are shorter here, so the second half is")
	}
	var n Node
	if got := unsafe.Sizeof(n); got != 192 {
		t.Errorf("a Node has %d bytes, want 192", got)
	}
	if got := unsafe.Offsetof(n.starts) + unsafe.Sizeof(n.starts); got != 64 {
		t.Errorf("what calls write ends at byte %d, want 64", got)
	}
	if got := unsafe.Offsetof(n.instance); got != 64 {
		t.Errorf("what calls read begins at byte %d, want 64", got)
	}
	if got := unsafe.Offsetof(n.testimony); got != 128 {
		t.Errorf("what calls write in trouble begins at byte %d, want 128", got)
	}
	for range 1000 {
		if at := uintptr(unsafe.Pointer(NewNode(discovery.Instance{}, 0))); at%64 != 0 {
			t.Fatalf("a Node was put at %#x, not at a multiple of 64", at)
		}
	}
}
