package rule_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rule"
)

// FuzzRegexMatcher: whatever pattern is accepted matches the whole of a text or
// nothing, and no pattern that could take long is accepted.
func FuzzRegexMatcher(f *testing.F) {
	for _, pattern := range []string{"a", "a|b", "/n/[0-9]{1,8}", "(?i)x", "(?s).*", "a)|(b", "^a$", "a$|^b", `\bx\b`, "(a*)*", "((a{9}){9}){9}", "(?m)^a$", "x{0,1000}", `\x00`, "ü+"} {
		f.Add(pattern, "a")
		f.Add(pattern, "b\na")
		f.Add(pattern, "/n/42")
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		if pattern == "" {
			return
		}
		p := policy(rule.Route{Name: "r", Match: []rule.Match{{Path: regex(pattern)}}})
		err := p.Validate()
		if err != nil {
			if !strings.Contains(err.Error(), "path.regex is") {
				t.Fatal(err)
			}
			return
		}
		got := compile(t, p).Route(&call{path: subject}) != nil
		// If the whole matches, it is the longest of the matches that begin first.
		re := regexp.MustCompile(pattern)
		re.Longest()
		found := re.FindStringIndex(subject)
		want := len(subject) <= 1024 && found != nil && found[0] == 0 && found[1] == len(subject)
		if got != want {
			t.Fatalf("pattern %q on %q: %t, want %t", pattern, subject, got, want)
		}
	})
}
