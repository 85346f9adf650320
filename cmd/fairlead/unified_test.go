package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnified(t *testing.T) {
	const abc = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n"
	for name, c := range map[string]struct{ from, to, want string }{
		"Same":   {abc, abc, ""},
		"None":   {"", "", ""},
		"New":    {"", "a\nb\n", "--- x\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n"},
		"Gone":   {"a\n", "", "--- x\n+++ y\n@@ -1,1 +0,0 @@\n-a\n"},
		"Middle": {abc, strings.Replace(abc, "f\n", "F\n", 1), "--- x\n+++ y\n@@ -3,7 +3,7 @@\n c\n d\n e\n-f\n+F\n g\n h\n i\n"},
		"Apart":  {abc, "A\n" + abc[2:] + "l\n", "--- x\n+++ y\n@@ -1,4 +1,4 @@\n-a\n+A\n b\n c\n d\n@@ -9,3 +9,4 @@\n i\n j\n k\n+l\n"},
	} {
		if got := unified("x", "y", c.from, c.to); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
	}
}

// What is said is understood by patch.
func TestUnifiedIsWhatPatchReads(t *testing.T) {
	patch, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("there is no patch on this machine")
	}
	text := func() string {
		var b strings.Builder
		for range rand.IntN(40) {
			b.WriteString(string(rune('a'+rand.IntN(5))) + "\n")
		}
		return b.String()
	}
	dir := t.TempDir()
	for range 50 {
		from, to := text(), text()
		diff := unified("file", "file", from, to)
		if from == to || from == "" || to == "" {
			continue // patch makes and removes files then
		}
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, []byte(from), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), patch, "-s", file)
		cmd.Stdin = strings.NewReader(diff)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, out, diff)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != to {
			t.Fatalf("%q patched by\n%s is %q, want %q, %v", from, diff, got, to, err)
		}
	}
}

// Texts that differ in too much are not compared line by line.
func TestUnifiedOfMuch(t *testing.T) {
	from, to := strings.Repeat("a\nb\n", 2000), strings.Repeat("b\nc\n", 2000)
	if got := strings.Count(unified("x", "y", from, to), "\n"); got < 8000 {
		t.Errorf("%d lines", got)
	}
}
