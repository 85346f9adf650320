package load

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// accounts is what the client and the servers have used up to a moment.
type accounts struct {
	at       time.Time
	client   time.Duration
	servers  time.Duration
	resident int64
	allocs   uint64
}

// read reads the accounts of this process and those of the servers.
func read(servers []int) (accounts, error) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	a := accounts{allocs: memory.Mallocs}
	for _, pid := range append([]int{os.Getpid()}, servers...) {
		cpu, resident, err := Usage(pid)
		if err != nil {
			return accounts{}, fmt.Errorf("account of process %d: %w", pid, err)
		}
		if pid == os.Getpid() {
			a.client = cpu
		} else {
			a.servers += cpu
		}
		a.resident += resident
	}
	a.at = time.Now()
	return a, nil
}

func (a accounts) since(b accounts) Measurement {
	return Measurement{
		Elapsed:   a.at.Sub(b.at),
		CPU:       a.client + a.servers - b.client - b.servers,
		ClientCPU: a.client - b.client,
		RSS:       a.resident,
		Allocs:    a.allocs - b.allocs,
	}
}
