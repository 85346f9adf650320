// Package cputime measures benchmarks by the CPU time that they use. The clock on
// the wall goes on while others have the processor; this one does not.
package cputime

import "testing"

// Unit is what benchmarks print it in.
const Unit = "cpu-ns/op"

// Start begins what b measures: allocations, the time by the clock, and the CPU time
// of this process, all until b ends. Where the system does not tell the last, it
// is not printed.
func Start(b *testing.B) {
	b.ReportAllocs()
	began, told := used()
	b.Cleanup(func() {
		if ended, _ := used(); told {
			b.ReportMetric(float64(ended-began)/float64(b.N), Unit)
		}
	})
	b.ResetTimer()
}
