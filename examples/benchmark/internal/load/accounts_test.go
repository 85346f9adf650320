package load

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// Busy waiting must show in the clock, or the loop would never end.
func TestUsageCountsTheWorkOfAProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not told by this system")
	}
	before, resident, err := Usage(os.Getpid())
	if err != nil || resident < 1<<20 {
		t.Fatalf("%d bytes, %v", resident, err)
	}
	const work = 200 * time.Millisecond
	used := time.Duration(0)
	for begun := time.Now(); used < work; {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("30 s of work count as %v", used)
		}
		now, _, err := Usage(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		used = now - before
	}
	if _, _, err := Usage(1 << 25); err == nil {
		t.Error("a process that cannot exist has an account")
	}
}
