package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// environment is what a figure has to be read with.
type environment struct {
	Go     string `json:"go"`
	System string `json:"system"` // operating system and architecture
	Kernel string `json:"kernel,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	// Load is the load average before the run: what else the machine did.
	Load string `json:"load,omitempty"`
	Etcd string `json:"etcd,omitempty"`
}

func readEnvironment() environment {
	e := environment{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(),
		Kernel: fact("/proc/sys/kernel/osrelease"), Load: fact("/proc/loadavg"),
	}
	for line := range strings.Lines(fact("/proc/cpuinfo")) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			e.CPU = strings.TrimSpace(value)
			break
		}
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == "go.etcd.io/etcd/server/v3" {
				e.Etcd = module.Version
			}
		}
	}
	return e
}

// fact reads a file of the kernel's, or nothing where there is none.
func fact(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (e environment) print(w io.Writer) {
	fmt.Fprintf(w, "%s %s, etcd %s; %d cores of %s; kernel %s; load before: %s\n", e.Go, e.System, e.Etcd, e.Cores, e.CPU, e.Kernel, e.Load)
}
