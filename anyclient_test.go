package fairlead_test

import (
	"regexp"
	"strings"
	"testing"
)

// Every Go snippet of docs/anyclient.md stands, line by line, in an example that
// is compiled.
func TestAnyClientSnippetsAreCompiled(t *testing.T) {
	examples := flatten(read(t, "balancer/anyclient_example_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, "docs/anyclient.md"), -1)
	if len(blocks) < 4 {
		t.Fatalf("found only %d snippets", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(examples, flatten(block[1])) {
			t.Errorf("this snippet is not in balancer/anyclient_example_test.go:\n%s", block[1])
		}
	}
}
