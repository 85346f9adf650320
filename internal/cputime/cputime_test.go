package cputime_test

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/cputime"
)

// What a benchmark waits for is not in its CPU time, and neither is what it did
// before the start.
func TestOnlyWorkSinceTheStartCounts(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("the system does not tell")
	}
	const long = 100 * time.Millisecond
	idle := testing.Benchmark(func(b *testing.B) {
		spin(long)
		cputime.Start(b)
		for b.Loop() {
			time.Sleep(time.Millisecond)
		}
	})
	if cpu := idle.Extra[cputime.Unit]; !(cpu > 0 && cpu < float64(idle.NsPerOp())/2) {
		t.Errorf("a sleep took %v of the CPU and %v by the clock", time.Duration(cpu), time.Duration(idle.NsPerOp()))
	}
}

// What is allocated at first, in a process that has just begun, is not got from the
// system page by page.
func TestTheHeapHasItsMemory(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(self, "-test.run=^$", "-test.bench=^BenchmarkFirst$", "-test.benchtime=1x").Output()
	found := regexp.MustCompile(`([\d.e+]+) free-B`).FindSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("%v: %s", err, out)
	}
	if free, err := strconv.ParseFloat(string(found[1]), 64); err != nil || free < 4<<20 {
		t.Errorf("the heap has %s bytes that are free, %v", found[1], err)
	}
}

func BenchmarkFirst(b *testing.B) {
	cputime.Start(b)
	of := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(of)
	b.ReportMetric(float64(of[0].Value.Uint64()), "free-B")
}

func spin(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
	}
}
