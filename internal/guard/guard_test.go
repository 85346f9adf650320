package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A module with benchmarks that say what they cost, whatever it was.
var tiny = map[string]string{
	"go.mod": "module example.com/tiny\n\ngo 1.26\n",
	"orders/orders_test.go": `package orders

import (
	"os"
	"testing"
)

func BenchmarkOurs(b *testing.B) {
	if _, err := os.Stat("orders_test.go"); err != nil {
		b.Fatal(err) // it is to run where its sources are
	}
	b.Run("size=1", func(b *testing.B) { costs(b, 160) })
	b.Run("size=1/more", func(b *testing.B) {
		if b.N > 1 {
			b.Fatal("it runs with another whose name it begins with")
		}
	})
	b.Run("in words", func(b *testing.B) { costs(b, 120) })
}

func BenchmarkTheirs(b *testing.B) { costs(b, 100) }

func BenchmarkTheirsToo(b *testing.B) { costs(b, 1) }

func costs(b *testing.B, ns float64) {
	for range b.N {
	}
	b.ReportMetric(ns, "cpu-ns/op")
}
`}

func TestGuardOfAModule(t *testing.T) {
	printed, err := guarded(t, "ratio orders BenchmarkOurs/size=1 BenchmarkTheirs 2 slow", "ratio orders BenchmarkOurs/in_words BenchmarkTheirs 2 fast")
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{"5 benchmarks of 1 packages run", "1.60×", "1.20×"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not printed:\n%s", want, printed)
		}
	}
}

func TestAPackageWithoutTestsIsAnError(t *testing.T) {
	if _, err := guarded(t, "allocs billing BenchmarkOurs 0 none"); err == nil || !strings.Contains(err.Error(), "billing") {
		t.Errorf("error %v", err)
	}
}

// guarded runs the guard in a module of its own.
func guarded(t *testing.T, lines ...string) (printed string, err error) {
	t.Helper()
	t.Setenv("GOWORK", "off")
	root := t.TempDir()
	for name, text := range tiny {
		write(t, filepath.Join(root, name), text)
	}
	file := filepath.Join(root, "limits.txt")
	write(t, file, strings.Join(lines, "\n"))
	var out strings.Builder
	err = guard(t.Context(), root, file, 10*time.Microsecond, &out)
	return out.String(), err
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
