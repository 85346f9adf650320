// Package cputime tells the CPU time that this process has used, and measures
// benchmarks by it. The clock on the wall goes on while others have the processor; this
// one does not.
package cputime

import (
	"os"
	"runtime"
	"runtime/metrics"
	"testing"
)

// Unit is what benchmarks print it in.
const Unit = "cpu-ns/op"

// warm is how much memory a process has before it is measured: about what the
// collector lets a small heap grow to.
const warm = 8 << 20

// Start begins what b measures: allocations, the time by the clock, and the CPU time
// of this process, all until b ends. Where the system does not tell the last, it
// is not printed.
//
// The heap has its memory by then. A process that has just begun gets every page of it
// from the system, which can take longer than all that a call does with it, and a
// process that has served for a while has them.
func Start(b *testing.B) {
	b.ReportAllocs()
	grow()
	began := Used()
	b.Cleanup(func() {
		if ended := Used(); ended > 0 {
			b.ReportMetric(float64(ended-began)/float64(b.N), Unit)
		}
	})
	b.ResetTimer()
}

// grow has the heap own so much memory that is free, if it does not: it touches some
// and gives it back.
func grow() {
	of := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}}
	if metrics.Read(of); of[0].Value.Uint64() >= warm {
		return
	}
	touch()
	runtime.GC()
}

func touch() {
	memory := make([]byte, warm)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	runtime.KeepAlive(memory)
}
