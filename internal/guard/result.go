package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/internal/cputime"
)

// result is what one run of a benchmark has printed.
type result struct {
	time   float64 // of the processor, in ns, of one; 0: it was not measured
	allocs float64 // of one
}

// results reads what a test binary prints of its benchmarks, by their names without
// the number of processors, which stands there if it is not 1.
func results(output string, cpus int) map[string]result {
	found := map[string]result{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !isBenchmark(fields[0]) {
			continue
		}
		name := fields[0]
		if cpus != 1 {
			name = strings.TrimSuffix(name, fmt.Sprintf("-%d", cpus))
		}
		var r result
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				break
			}
			switch fields[i+1] {
			case "ns/op":
				found[name] = r
			case cputime.Unit:
				r.time = value
				found[name] = r
			case "allocs/op":
				r.allocs = value
				found[name] = r
			}
		}
	}
	return found
}
