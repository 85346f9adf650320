package environment

import (
	"runtime"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	e := Read("no.such/module")
	if e.Go != runtime.Version() || e.Cores != runtime.NumCPU() || len(e.Modules) != 0 {
		t.Errorf("environment %+v", e)
	}
	if runtime.GOOS == "linux" && (e.Kernel == "" || e.Load == "") {
		t.Errorf("the kernel is not asked: %+v", e)
	}
	e.Modules["example.test/m"] = "v1.2.3"
	var b strings.Builder
	e.Print(&b)
	if got := b.String(); !strings.Contains(got, runtime.Version()) || !strings.Contains(got, ", example.test/m v1.2.3;") || strings.Count(got, "\n") != 1 {
		t.Errorf("printed as %q", got)
	}
}
