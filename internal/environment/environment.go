// Package environment says what a measured figure has to be read with: the
// machine, what else it did, and the versions of what was measured.
package environment

import (
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Environment is that of this process.
type Environment struct {
	Go     string `json:"go"`
	System string `json:"system"` // operating system and architecture
	Kernel string `json:"kernel,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	// Load is the load average when it was read: what else the machine did.
	Load string `json:"load,omitempty"`
	// Modules are the versions that the program was built with.
	Modules map[string]string `json:"modules,omitempty"`
}

// Read reads it, with the versions of some modules.
func Read(modules ...string) Environment {
	e := Environment{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(),
		Kernel: fact("/proc/sys/kernel/osrelease"), Load: fact("/proc/loadavg"), Modules: map[string]string{},
	}
	for line := range strings.Lines(fact("/proc/cpuinfo")) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			e.CPU = strings.TrimSpace(value)
			break
		}
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if slices.Contains(modules, module.Path) {
				e.Modules[module.Path] = module.Version
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

// Print writes it in one line.
func (e Environment) Print(w io.Writer) {
	fmt.Fprintf(w, "%s %s", e.Go, e.System)
	for _, path := range slices.Sorted(maps.Keys(e.Modules)) {
		fmt.Fprintf(w, ", %s %s", path, e.Modules[path])
	}
	fmt.Fprintf(w, "; %d cores of %s; kernel %s; load before: %s\n", e.Cores, e.CPU, e.Kernel, e.Load)
}
