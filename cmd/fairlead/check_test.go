package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const testdata = "../../rule/testdata/"

// Each bad document has all said that the library says, where an editor finds
// it; the good ones pass.
func TestCheck(t *testing.T) {
	x := terminal{t: t}
	bad, err := filepath.Glob(testdata + "bad/*.json")
	if err != nil || len(bad) < 10 {
		t.Fatalf("%d bad documents, %v", len(bad), err)
	}
	place := regexp.MustCompile(`(?m)^line (\d+), column (\d+): `)
	for _, file := range bad {
		want, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		a := x.run("rules", "check", file)
		if said := place.ReplaceAllString(string(want), file+":$1:$2: "); a.code != exitInvalid || a.out != said || a.err != "" {
			t.Errorf("%s: code %d, says\n%s%swant\n%s", file, a.code, a.out, a.err, said)
		}
	}
	good, err := filepath.Glob(testdata + "good/*")
	if err != nil || len(good) < 2 {
		t.Fatalf("%d good documents, %v", len(good), err)
	}
	x.says(exitOK, []string{"valid, rules of orders"}, append([]string{"rules", "check"}, good...)...)

	all := x.says(exitInvalid, []string{good[0] + ": valid", "form.json:1:15: apiVersion"}, "rules", "check", good[0], testdata+"bad/form.json")
	if strings.Count(all.out, "\n") != 4 {
		t.Errorf("of a good and a bad document is said\n%s", all.out)
	}
	a := x.says(exitInvalid, nil, "rules", "check", "-o", "json", testdata+"bad/form.json", "missing.yaml")
	var found []finding
	if err := json.Unmarshal([]byte(a.out), &found); err != nil || len(found) != 4 || found[0].Column != 15 || found[0].Field != "apiVersion" || found[3].File != "missing.yaml" {
		t.Errorf("as data: %+v, %v", found, err)
	}
}

func TestFormsOfDocuments(t *testing.T) {
	const good = "# rules\napiVersion: fairlead/v1alpha1\nkind: ServicePolicy\nspec: {service: orders, timeout: 1s}\n"
	minimal, err := os.ReadFile(testdata + "good/minimal.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	x := terminal{t: t}
	for _, c := range []struct {
		name, text string
		code       int
		says       string
	}{
		{"a.yaml", good, exitOK, "valid"},
		{"a.yml", good, exitOK, "valid"},
		{"a.YAML", good, exitOK, "valid"},
		{"any", good, exitOK, "valid"},
		{"any2", string(minimal), exitOK, "valid"},
		{"json.yaml", string(minimal), exitOK, "valid"},
		{"b.json", good, exitInvalid, "b.json:1:1: not JSON"},
		{"c.yaml", strings.Replace(good, "1s", "soon", 1), exitInvalid, `c.yaml:4:34: spec.timeout is "soon"`},
		{"d.yaml", good + "---\n" + good, exitInvalid, "more after the end"},
		{"large.yaml", "#" + strings.Repeat(" ", 1<<20), exitInvalid, "at most 262144 are allowed"},
	} {
		x.says(c.code, []string{c.says}, "rules", "check", file(c.name, c.text))
	}
	for _, text := range []string{good, string(minimal)} {
		a := x.pipe(text, "rules", "check", "-")
		x.check(a, exitOK, []string{"-: valid"}, nil)
	}
}
