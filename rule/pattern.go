package rule

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// mostRepeats bounds what a pattern's repetitions multiply to: RE2 is linear in
// the subject, and the factor is the size of the program.
const mostRepeats = 100

// pattern compiles a pattern so that it has to match the whole text, or says why
// it is not allowed.
func pattern(text string) (*regexp.Regexp, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("at most %d bytes are allowed", MaxText)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("no regular expression of package regexp: %w", err)
	}
	if n := repeats(parsed); n > mostRepeats {
		return nil, fmt.Errorf("its repetitions multiply to %d, at most %d are allowed", n, mostRepeats)
	}
	// What was parsed, and not the text, is put between the anchors: a text such
	// as \Q may be whole by itself and not there.
	re, err := regexp.Compile(`\A(?:` + parsed.String() + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("no regular expression of package regexp: %w", err)
	}
	return re, nil
}

// repeats is the most that nested counted repetitions multiply to.
func repeats(r *syntax.Regexp) int {
	most := 1
	for _, sub := range r.Sub {
		most = max(most, repeats(sub))
	}
	if r.Op == syntax.OpRepeat {
		most *= max(r.Min, r.Max, 1)
	}
	return min(most, 1_000_000)
}
