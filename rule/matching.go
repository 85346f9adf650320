package rule

// matching is how calls look that something is for, ready for use.
type matching []entry

func newMatching(all []Match) (made matching) {
	for _, m := range all {
		made = append(made, entry{conditions: conditionsOf(m)})
	}
	return made
}

// Matches reports whether a call looks like one of the matches, or there is none.
// It allocates nothing unless the call's own methods do, or a pattern.
func (m matching) Matches(r Request) bool {
	for n := range m {
		if m[n].holds(r) {
			return true
		}
	}
	return len(m) == 0
}
