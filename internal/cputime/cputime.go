// Package cputime tells the CPU time that this process has used, and measures
// benchmarks by it. The clock on the wall goes on while others have the processor; this
// one does not.
package cputime

import "testing"

// Unit is what benchmarks print it in.
const Unit = "cpu-ns/op"

// Start begins what b measures: allocations, the time by the clock, and the CPU time
// of this process, all until b ends. Where the system does not tell the last, it
// is not printed.
func Start(b *testing.B) {
	b.ReportAllocs()
	began := Used()
	b.Cleanup(func() {
		if ended := Used(); ended > 0 {
			b.ReportMetric(float64(ended-began)/float64(b.N), Unit)
		}
	})
	b.ResetTimer()
}
