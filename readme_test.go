package fairlead_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every Go snippet of the README stands, line by line, in an example that is
// compiled.
func TestReadmeSnippetsAreCompiled(t *testing.T) {
	examples := flatten(read(t, "example_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) < 5 {
		t.Fatalf("found only %d snippets", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(examples, flatten(block[1])) {
			t.Errorf("this snippet is not in example_test.go:\n%s", block[1])
		}
	}
}

// Adopting fairlead changes one line of an HTTP program and two of a gRPC
// program; making the mesh takes at most six more.
func TestAdoptionTakesFewLines(t *testing.T) {
	readme := read(t, "README.md")
	block := regexp.MustCompile("(?s)```go\n(mesh, err := .*?)```").FindStringSubmatch(readme)[1]
	setup, wrap, ok := strings.Cut(block, "\n\n")
	if !ok {
		t.Fatal("set-up and wrapping are not apart")
	}
	if n := lines(setup); n > 6 {
		t.Errorf("set-up takes %d lines, allowed are 6", n)
	}
	if n := lines(wrap); n != 1 {
		t.Errorf("wrapping an http.Client takes %d lines, promised is 1", n)
	}
	block = regexp.MustCompile("(?s)```go\n(conn, err := .*?)```").FindStringSubmatch(readme)[1]
	if n := lines(block); n != 2 {
		t.Errorf("a gRPC client takes %d lines, promised are 2", n)
	}
}

// Every metric stands in the README.
func TestEveryMetricIsInTheReadme(t *testing.T) {
	readme := read(t, "README.md")
	names := regexp.MustCompile(`\("(fairlead\.[a-z.]+)"`).FindAllStringSubmatch(read(t, "transport/meter.go")+read(t, "transport/meterlimits.go"), -1)
	if len(names) < 25 {
		t.Fatalf("found only %d metrics", len(names))
	}
	for _, name := range names {
		if !strings.Contains(readme, "`"+name[1]+"`") {
			t.Errorf("the README does not name %s", name[1])
		}
	}
}

func lines(code string) int { return len(strings.Split(strings.TrimSpace(code), "\n")) }

// flatten drops indentation, which differs between a snippet and a function.
func flatten(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimSpace(line))
		b.WriteByte('\n')
	}
	return b.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
