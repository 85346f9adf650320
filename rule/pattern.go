package rule

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// pattern compiles a pattern so that it has to match the whole text, or says why
// it is not allowed. Steps is the size of its program, about: what it takes to
// compile it, to keep it, and to try it on each byte of a text (RE2 is linear in
// both).
func pattern(text string) (re *regexp.Regexp, steps int, err error) {
	if len(text) > MaxText {
		return nil, 0, fmt.Errorf("at most %d bytes are allowed", MaxText)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, 0, fmt.Errorf("no regular expression of package regexp: %w", err)
	}
	if steps = stepsOf(parsed); steps > MaxPatternSteps { // before it is compiled
		return nil, steps, fmt.Errorf("its program has some %d steps, at most %d are allowed", steps, MaxPatternSteps)
	}
	// What was parsed, and not the text, is put between the anchors: a text such
	// as \Q may be whole by itself and not there.
	re, err = regexp.Compile(`\A(?:` + parsed.String() + `)\z`)
	if err != nil {
		return nil, 0, fmt.Errorf("no regular expression of package regexp: %w", err)
	}
	return re, steps, nil
}

// stepsOf adds up instructions, a class of characters by the number of its
// ranges, and counted repetitions as often as they are written out.
func stepsOf(r *syntax.Regexp) int {
	steps := 1
	for _, sub := range r.Sub {
		steps += stepsOf(sub)
	}
	switch r.Op {
	case syntax.OpLiteral:
		steps += len(r.Rune)
	case syntax.OpCharClass:
		steps += len(r.Rune) / 2
	case syntax.OpRepeat:
		steps *= max(r.Min+1, r.Max, 1)
	}
	return min(steps, 1_000_000) // of which 1000 are no overflow
}
