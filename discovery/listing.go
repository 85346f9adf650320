package discovery

import "slices"

// listing is what one look at a service brought: all its instances, and what
// had to be skipped.
type listing struct {
	instances []*Instance
	refused   int
	refusals  []Refusal // the first of them
}

// refuse takes note of a record that is skipped.
func (l *listing) refuse(key string, reason error) {
	l.refused++
	if len(l.refusals) < MaxRefusals {
		l.refusals = append(l.refusals, Refusal{Key: key, Reason: reason.Error()})
	}
}

// refuseAll takes note of what other had to skip.
func (l *listing) refuseAll(other listing) {
	l.refused += other.refused
	l.refusals = append(l.refusals, other.refusals...)
	l.refusals = l.refusals[:min(len(l.refusals), MaxRefusals)]
}

// adopt sorts the instances and gives those that have not changed since the
// last listing the pointers that they had there. It reports whether anything
// is different at all.
func (l *listing) adopt(last listing) (changed bool) {
	Sort(l.instances)
	l.instances = keep(last.instances, l.instances)
	return !slices.Equal(l.instances, last.instances) || l.refused != last.refused || !slices.Equal(l.refusals, last.refusals)
}
