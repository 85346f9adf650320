package main

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
	before, resident, err := usage(os.Getpid())
	if err != nil || resident < 1<<20 {
		t.Fatalf("%d bytes, %v", resident, err)
	}
	const work = 200 * time.Millisecond
	used := time.Duration(0)
	for begun := time.Now(); used < work; {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("30 s of work count as %v", used)
		}
		now, _, err := usage(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		used = now - before
	}
	if _, _, err := usage(1 << 25); err == nil {
		t.Error("a process that cannot exist has an account")
	}
}

func TestAccountsIncludeTheServers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not told by this system")
	}
	all, err := startInstances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer all.stop()
	server := []int{all.child.Process.Pid}
	before, err := read(server)
	if err != nil {
		t.Fatal(err)
	}
	m, err := runClient(t.Context(), assignment{
		Variant: "plain", Scenario: scenario{Protocol: http1, Payload: 128, Concurrency: 4},
		Addrs: all.addrs[http1], Servers: server, Duration: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	after, err := read(server)
	if err != nil {
		t.Fatal(err)
	}
	if servers := m.CPU - m.ClientCPU; servers <= 0 || servers > after.servers-before.servers {
		t.Errorf("the run charged the servers %v, while they used %v", servers, after.servers-before.servers)
	}
}
