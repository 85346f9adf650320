package load

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// Processes are those whose cost counts beside that of this one.
type Processes struct{ Servers, Proxies []int }

// accounts is what all have used up to a moment.
type accounts struct {
	at                       time.Time
	client, servers, proxies Cost
	allocs                   uint64
}

// read reads the accounts of this process and of others.
func (p Processes) read() (accounts, error) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	a := accounts{allocs: memory.Mallocs}
	for _, of := range []struct {
		sum  *Cost
		pids []int
	}{{&a.client, []int{os.Getpid()}}, {&a.servers, p.Servers}, {&a.proxies, p.Proxies}} {
		for _, pid := range of.pids {
			cpu, resident, err := Usage(pid)
			if err != nil {
				return accounts{}, fmt.Errorf("account of process %d: %w", pid, err)
			}
			of.sum.CPU += cpu
			of.sum.RSS += resident
		}
	}
	a.at = time.Now()
	return a, nil
}

func (a accounts) since(b accounts) Share {
	used := func(now, then Cost) Cost { return Cost{CPU: now.CPU - then.CPU, RSS: now.RSS} }
	return Share{
		Elapsed: a.at.Sub(b.at), Allocs: a.allocs - b.allocs,
		Client: used(a.client, b.client), Servers: used(a.servers, b.servers), Proxies: used(a.proxies, b.proxies),
	}
}
